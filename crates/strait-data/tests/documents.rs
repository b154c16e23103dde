//! Bags of words in both forms; what a file claims is checked, and bad lines are refused with their numbers.

mod common;
#[path = "common/gzip.rs"]
mod gzip;

use common::write;
use gzip::gzip;

use strait_data::{Documents, Error};

fn read(bytes: &[u8]) -> Result<Documents, Error> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    Documents::read(write(folder.path(), "some-documents", bytes))
}

/// The message of the error that reading these bytes gives.
fn refusal(bytes: &[u8]) -> String {
    let error = read(bytes).expect_err("a bad file is refused").to_string();
    assert!(error.contains("some-documents"), "the message names the file: {error}");
    error
}

/// Documents without labels.
fn documents(words: usize, counts: &[&[(u32, u32)]]) -> Documents {
    let counts = counts.iter().map(|document| document.to_vec()).collect();
    Documents { words, counts, labels: None, label_names: Vec::new() }
}

#[test]
fn triples_are_read_with_and_without_a_header() {
    let triples = "3 2 4\n1 5 1\n1 1 2.0\n";
    let found = documents(5, &[&[(0, 2), (4, 1)], &[], &[(1, 4)]]);
    let claimed = documents(7, &[&[(0, 2), (4, 1)], &[], &[(1, 4)], &[], &[]]);
    let headed = format!("5\n7\n3\n{triples}");
    for (text, expected) in [
        (triples.to_owned(), &found),
        (triples.replace(' ', "\t").replace('\n', "\r\n"), &found),
        (format!("# document, word, count\n\n{triples}\n"), &found),
        // A count of 0 says that a word does not occur.
        (format!("{triples}2 4 0\n"), &found),
        (headed.clone(), &claimed),
        (format!("\u{feff}{}", headed.replace('\n', " \n\n")), &claimed),
    ] {
        assert_eq!(&read(text.as_bytes()).expect("a good file"), expected, "{text}");
        assert_eq!(&read(&gzip(text.as_bytes())).expect("a good file"), expected, "{text}");
    }
}

#[test]
fn svmlight_lines_are_read_with_their_labels() {
    let text = "# made by hand\n+1 3:1 1:7 # the first\n\n-1\n10 2:1.000000\n+1 #nothing\n-1 4:0\n";
    let expected = Documents {
        words: 4,
        counts: vec![vec![(0, 7), (2, 1)], vec![], vec![(1, 1)], vec![], vec![]],
        labels: Some(vec![1, 0, 2, 1, 0]),
        label_names: ["-1", "+1", "10"].map(str::to_owned).to_vec(),
    };
    assert_eq!(read(text.as_bytes()).expect("a good file"), expected);
    assert_eq!(read(&gzip(text.as_bytes())).expect("a good file"), expected);
    // Three documents without words are not a header.
    let empty = read(b"4\n2\n4\n2 1:1\n").expect("a good file");
    assert_eq!((empty.counts.len(), empty.labels), (4, Some(vec![1, 0, 1, 0])));
    // Files whose documents come in another order number their labels alike.
    let other = read(b"10 1:1\n-1 1:1\n+1 1:1\n").expect("a good file");
    assert_eq!((other.labels, other.label_names), (Some(vec![2, 0, 1]), expected.label_names));
}

#[test]
fn bad_lines_and_false_claims_are_refused() {
    for (file, expected) in [
        ("", "the file is empty"),
        ("1\n2\n3\n", "neither lines"),
        ("1,1,1\n", "neither lines"),
        // Triples.
        ("1 1\n", "line 1: it is not the number of a row"),
        ("1 1 1\n1 2\n", "line 2: it is not the number of a row"),
        ("1 1 1 1\n", "line 1: it is not the number of a row"),
        ("1 1 1\n7\n", "line 2: it is not the number of a row"),
        ("0 1 1\n", "line 1: the row `0`"),
        ("1 0 1\n", "line 1: the column `0`"),
        ("-1 1 1\n", "the row `-1`"),
        ("1 x 1\n", "the column `x`"),
        ("1 4294967296 1\n", "the column `4294967296`"),
        ("1 1 NaN\n", "line 1: `NaN` is not a finite number"),
        ("1 1 inf\n", "`inf` is not a finite number"),
        ("1 1 -2\n", "document 0: word 0 occurs -2 times"),
        ("1 1 0.5\n", "document 0: word 0 occurs 0.5 times"),
        ("1 1 4294967296\n", "occurs 4294967296 times"),
        ("2 3 1\n1 1 1\n\n2 3 4\n", "line 4: it repeats a row and a column of line 1"),
        // The header.
        ("1\n1\n1 1 1\n", "line 3: before the first triple come 2 lines"),
        ("1\n1\n1\n1\n1 1 1\n", "line 5: before the first triple come 4 lines"),
        ("1\nwords\n1\n1 1 1\n", "`words` is not a number"),
        ("a\nb\nc\n1 1 1\n", "`a` is not a number"),
        ("1\n1\n-1\n1 1 1\n", "`-1` is not a number"),
        ("2\n2\n3\n1 1 1\n2 2 1\n", "its header claims 3 triples, but 2 follow"),
        ("2\n2\n1\n1 1 1\n2 2 1\n", "its header claims 1 triples, but 2 follow"),
        ("1\n2\n2\n1 1 1\n2 2 1\n", "its header claims 1 rows, but line 5 names number 2"),
        ("2\n1\n2\n1 1 1\n2 2 1\n", "its header claims 1 columns, but line 5 names number 2"),
        ("1099511627776\n1\n1\n1 1 1\n", "1099511627776 rows are too many for 1 triples"),
        ("1\n1099511627776\n1\n1 1 1\n", "claims 1099511627776 columns"),
        ("4294967295 1 1\n", "4294967295 rows are too many for 1 triples"),
        // SVMlight.
        ("1 1:1\n2:1 3:1\n", "line 2: it begins with `2:1`, not with a label"),
        ("1 1:1 2\n", "line 1: `2` is not a column and its value"),
        ("1 1:\n", "line 1: `1:` does not end with a finite number"),
        ("1 1:nan\n", "line 1: `1:nan` does not end"),
        ("1 1:1\n1 2:-1\n", "document 1: word 1 occurs -1 times"),
        ("1 1:0.25\n", "document 0: word 0 occurs 0.25 times"),
        ("1 1:1\n1 3:1 1:1 3:1\n", "line 2: column 2 comes twice"),
    ] {
        let message = refusal(file.as_bytes());
        assert!(message.contains(expected), "{expected} is not in: {message}");
    }
    assert!(refusal(b"1 1 1\n\xff\xfe 1 1\n").contains("line 2: it is not UTF-8 text"));
    let packed = gzip(b"1 1 1\n2 1 1\n");
    (0..packed.len()).for_each(|cut| drop(refusal(&packed[..cut])));
}

#[test]
fn labels_come_from_a_file_of_their_own() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let documents = documents(2, &[&[(0, 1)], &[], &[(1, 1)]]);
    for bytes in [b"sci.space\n alt atheism \r\nsci.space".to_vec(), gzip(b"sci.space\nalt atheism\n\nsci.space\n\n")] {
        let path = write(folder.path(), "labels", &bytes);
        let labelled = documents.clone().with_labels(path).expect("a label for each");
        assert_eq!(labelled.labels, Some(vec![1, 0, 1]));
        assert_eq!(labelled.label_names, ["alt atheism", "sci.space"]);
        assert_eq!(labelled.counts, documents.counts);
    }
    for bytes in ["a\nb\n", "a\nb\nc\nd\n"] {
        let path = write(folder.path(), "labels", bytes.as_bytes());
        let error = documents.clone().with_labels(path).expect_err("labels are missing").to_string();
        assert!(error.contains("labels") && error.contains("but there are 3 documents"), "{error}");
    }
}

#[test]
fn the_most_frequent_words_are_those_of_most_documents() {
    // Words 0 to 3 occur in 1, 3, 2 and 2 documents; word 0 is the one that occurs most often.
    let labels = (Some(vec![0, 1, 0]), vec!["a".to_owned(), "b".to_owned()]);
    let all = documents(5, &[&[(0, 99), (1, 1), (3, 2)], &[(1, 4), (2, 5)], &[(1, 6), (2, 7), (3, 8)]]);
    let all = Documents { labels: labels.0, label_names: labels.1, ..all };
    let two = all.most_frequent(2);
    assert_eq!((two.words, &two.counts), (2, &vec![vec![(0, 1)], vec![(0, 4), (1, 5)], vec![(0, 6), (1, 7)]]));
    assert_eq!((&two.labels, &two.label_names), (&all.labels, &all.label_names));
    for words in [5, usize::MAX] {
        let sorted = all.most_frequent(words);
        let expected = [vec![(0, 1), (2, 2), (3, 99)], vec![(0, 4), (1, 5)], vec![(0, 6), (1, 7), (2, 8)]];
        assert_eq!((sorted.words, sorted.counts), (5, expected.to_vec()));
    }
    assert_eq!(all.most_frequent(0).counts, [vec![], vec![], vec![]]);
}

#[test]
fn numbers_are_refused_where_they_do_not_fit() {
    let two = documents(3, &[&[(0, 2), (2, 1)], &[], &[(1, 4)]]);
    assert_eq!(two.to_numbers().expect("it is small"), [2., 0., 1., 0., 0., 0., 0., 4., 0.]);
    for words in [(1 << 30) / 3 + 1, usize::MAX] {
        let error = Documents { words, ..two.clone() }.to_numbers().expect_err("it is huge");
        assert!(matches!(error, Error::Counts(_)) && error.to_string().contains("keep only"), "{error}");
    }
    let error = Documents { words: 2, ..two }.to_numbers().expect_err("a word is missing");
    assert!(error.to_string().contains("document 0: word 2 is none of 2 words"), "{error}");
}
