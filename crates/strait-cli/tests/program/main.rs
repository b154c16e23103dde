//! The program as a user runs it.

mod documents;
mod folder;
mod kinds;
mod own_table;
