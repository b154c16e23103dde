//! Ratings from text files: what separates them is found, and every bad line is refused with its number.

mod common;
#[path = "common/gzip.rs"]
mod gzip;

use common::write;
use gzip::gzip;

use strait_data::{Error, Rating, Ratings};

fn read(bytes: &[u8]) -> Result<Ratings, Error> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    Ratings::read(write(folder.path(), "some-ratings", bytes))
}

/// The message of the error that reading these bytes gives.
fn refusal(bytes: &[u8]) -> String {
    let error = read(bytes).expect_err("a bad file is refused").to_string();
    assert!(error.contains("some-ratings"), "the message names the file: {error}");
    error
}

#[test]
fn all_separators_headers_and_endings_are_read() {
    let expected = Ratings {
        users: 2,
        items: 3,
        levels: vec![-1.0, 0.5, 5.0],
        entries: [(0, 0, 2), (1, 0, 1), (0, 1, 1), (1, 2, 0)]
            .map(|(user, item, level)| Rating { user, item, level })
            .to_vec(),
        user_names: ["9", "ann"].map(str::to_owned).to_vec(),
        item_names: ["b1", "7", "x/y"].map(str::to_owned).to_vec(),
    };
    let plain = "9|b1|5|881250949\nann|b1|.5|0\n9|7|0.50|1\nann|x/y|-1|2\n";
    let headed = format!("user|item|rating|time\n{plain}");
    for separator in ["::", "\t", ",", ";", " ", "  "] {
        for text in [plain, &headed, &plain.replace('\n', "\r\n"), plain.trim_end(), &format!("\u{feff}\n{headed}\n\n")]
        {
            let text = text.replace('|', separator);
            for bytes in [text.clone().into_bytes(), gzip(text.as_bytes())] {
                assert_eq!(read(&bytes).expect("a good file"), expected, "separated by {separator:?}: {text}");
            }
        }
    }
}

#[test]
fn fields_may_be_quoted_and_hold_other_separators() {
    let file = "\"User-ID\";\"ISBN\";\"Book-Rating\"\n\"a, b\";\"0 1\";\"3\"\nc; 2 ; 4 \n";
    let ratings = read(file.as_bytes()).expect("a good file");
    assert_eq!(
        (ratings.user_names, ratings.item_names),
        (vec!["a, b".into(), "c".into()], vec!["0 1".into(), "2".into()])
    );
    // The last columns of a line may be anything.
    let ratings = read(b"1,2,3,a;b;c\n1,3,3\n").expect("a good file");
    assert_eq!((ratings.users, ratings.items, ratings.levels), (1, 2, vec![3.0]));
}

#[test]
fn bad_lines_are_refused_by_number() {
    for (file, expected) in [
        ("", "no ratings"),
        ("\n \n", "no ratings"),
        ("user,item,rating\n", "no ratings"),
        ("1,2\n", "line 1: 2 cells, too few"),
        ("1,2,3\n\n1 3 3\n", "line 3: 1 cells, too few for a user, an item and a rating"),
        ("1\t2\t3\n1\t3\n", "line 2: 2 cells, too few"),
        ("1,2,3\n1,3,good\n", "line 2: the rating `good`"),
        ("user,item,rating\nuser,item,rating\n", "line 2: the rating `rating`"),
        ("1,2,3\n1,3,\n", "line 2: the rating ``"),
        ("1,2,NaN\n", "line 1: the rating `NaN`"),
        ("1,2,3\n1,3,inf\n", "line 2: the rating `inf`"),
        ("1,2,1e400\n", "line 1: the rating `1e400`"),
        ("1,2,3\n1,3,0x10\n", "`0x10`"),
        ("1;2;3\n1;3;4,5\n", "`4,5`"),
        ("1,2,3\n,3,4\n", "line 2: its user or its item has no name"),
        ("1\t2\t3\n\t3\t4\n", "line 2: its user or its item has no name"),
        ("1,2,3\n1,\"\",4\n", "has no name"),
        ("1,2,3\n\",5,3\n", "line 2: a quote is opened here and never closed"),
        ("a b 1\na c 1\na b 2\na c 1\n", "line 3: its user has rated its item in line 1"),
        ("h h h\n\na b 1\na b 1\na b 1\n", "line 4: its user has rated its item in line 3"),
    ] {
        let message = refusal(file.as_bytes());
        assert!(message.contains(expected), "{expected} is not in: {message}");
    }
    assert!(refusal(b"1,2,3\n1,caf\xe9,3\n").contains("line 2: it is not UTF-8 text"));
}

#[test]
fn twenty_levels_are_the_most() {
    let lines = |levels: u32| (0..2 * levels).map(|i| format!("{i} a {}\n", levels - i % levels)).collect::<String>();
    let ratings = read(lines(20).as_bytes()).expect("20 levels");
    assert_eq!(ratings.levels, (1..=20).map(f64::from).collect::<Vec<_>>());
    assert_eq!((ratings.entries[0].level, ratings.entries[39].level), (19, 0));
    assert!(refusal(lines(21).as_bytes()).contains("it has 21 different ratings"));
}

#[test]
fn damaged_and_missing_files_are_refused() {
    let text: String = (0..500u32).map(|i| format!("{} {} {}\n", i.wrapping_mul(2_654_435_761), i, i % 5)).collect();
    let packed = gzip(text.as_bytes());
    for cut in (0..packed.len()).step_by(97).chain([packed.len() - 1]) {
        refusal(&packed[..cut]);
    }
    let mut damaged = packed.clone();
    let checksum = packed.len() - 5;
    damaged[checksum] ^= 1;
    assert!(refusal(&damaged).contains("damaged gzip data"));
    assert!(refusal(&[&packed[..], b"more than a header"].concat()).contains("damaged gzip data"));
    assert!(refusal(format!("1,2,3\n1,3,{}\n", "x".repeat(1 << 20)).as_bytes()).len() < 1000, "messages are short");
    let folder = tempfile::tempdir().expect("a temporary folder");
    assert!(Ratings::read(folder.path()).expect_err("a folder").to_string().contains("not a file"));
    let missing = Ratings::read(folder.path().join("none")).expect_err("no such file");
    assert!(matches!(missing, Error::Io { .. }), "{missing}");
}
