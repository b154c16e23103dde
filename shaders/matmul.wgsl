// The sizes of a product C = A B, with C of m x n and k terms, and the strides of A (in m, k) and B (in k, n).
struct Product {
    m: u32,
    n: u32,
    k: u32,
    a_m: u32,
    a_k: u32,
    b_k: u32,
    b_n: u32,
    // Workgroups of the product along the columns and the rows.
    across: u32,
    down: u32,
    // Numbers of a step's metrics, and where those of this kernel start.
    width: u32,
    start: u32,
    // Workgroups along the columns with those behind the product, which are there for other work.
    grid: u32,
    // The stream of random states.
    stream: u32,
}
