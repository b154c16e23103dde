//! Made-up documents: bags of words about topics, for the experiment on documents of Hinton & Salakhutdinov (Science 2006),
//! whose own are not free.

use strait_compute::philox::{Stream, uniform};
use strait_data::Documents;

/// Words of the dictionary.
pub const WORDS: usize = 2000;

/// Words that are a topic's own; topic t has those from `OWN * t` on.
pub const OWN: usize = 20;

/// Topics.
pub const TOPICS: usize = 20;

/// Documents of 30 to 150 words, each about one topic, which is its label. Three words in ten are the topic's own, one in ten is
/// another topic's, and the rest are those that all documents use, the first ones more often (Zipf's law).
///
/// ```
/// use strait::corpus::{OWN, TOPICS, WORDS, documents};
/// let made = documents(100, 1);
/// let labels = made.labels.as_ref().expect("each has a topic");
/// assert_eq!((made.words, made.counts.len(), labels.len()), (WORDS, 100, 100));
/// let own = |(document, topic): (&Vec<(u32, u32)>, &u32)| {
///     let words = document.iter().filter(|(word, _)| *word as usize / OWN == *topic as usize);
///     words.map(|(_, count)| count).sum::<u32>()
/// };
/// assert!(made.counts.iter().zip(labels).all(|pair| own(pair) > 0));
/// assert_eq!(made, documents(100, 1));
/// ```
pub fn documents(count: usize, seed: u64) -> Documents {
    let mut stream = Stream::new(seed, 700);
    let mut below = |end: usize| (f64::from(uniform(stream.next_word())) * end as f64) as usize;
    // How often words of rank r come, cumulated: 1 / (r + 10), so that no word is in every line.
    let shared = WORDS - TOPICS * OWN;
    let mut ranks = Vec::with_capacity(shared);
    let mut sum = 0.0;
    for rank in 0..shared {
        sum += 1.0 / (rank as f64 + 10.0);
        ranks.push(sum);
    }
    let (mut counts, mut labels) = (Vec::with_capacity(count), Vec::with_capacity(count));
    for _ in 0..count {
        let topic = below(TOPICS);
        let mut words = std::collections::BTreeMap::<u32, u32>::new();
        for _ in 0..30 + below(121) {
            let word = match below(10) {
                0..3 => topic * OWN + below(OWN),
                3 => below(TOPICS * OWN),
                _ => {
                    let place = below(1 << 20) as f64 / f64::from(1 << 20) * sum;
                    TOPICS * OWN + ranks.partition_point(|&end| end <= place).min(shared - 1)
                }
            };
            *words.entry(word as u32).or_default() += 1;
        }
        counts.push(words.into_iter().collect());
        labels.push(topic as u32);
    }
    let label_names = (0..TOPICS).map(|topic| format!("topic {topic}")).collect();
    Documents { words: WORDS, counts, labels: Some(labels), label_names }
}
