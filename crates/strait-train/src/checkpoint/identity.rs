//! What a run depends on, and how that of two runs differs.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use strait_data::{Rows, Values};
use strait_models::{Affine, Rbm};

/// Which values of a data set are hashed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hashed {
    /// All of them.
    Whole,
    /// Some at the beginning and at the end, which takes no time.
    Ends,
}

/// Bytes at either end of a data set.
const END: usize = 1 << 20;

/// A data set: its shape, and the SHA-256 of its values.
pub(crate) fn of_rows(rows: &Rows<'_>, hashed: Hashed) -> Value {
    let (kind, bytes): (_, &[u8]) = match rows.values {
        Values::Bytes(bytes) => ("bytes", bytes),
        Values::Numbers(numbers) if hashed == Hashed::Whole => return of_shape(rows, "numbers", digest([numbers])),
        Values::Numbers(numbers) => {
            let end = END / 4;
            let ends = [&numbers[..end.min(numbers.len())], &numbers[numbers.len().saturating_sub(end)..]];
            return of_shape(rows, "numbers", digest(ends));
        }
        Values::Halves(numbers) => (numbers.name(), numbers.bytes()),
    };
    let sum = match hashed {
        Hashed::Whole => Sha256::digest(bytes),
        Hashed::Ends => {
            let ends = [&bytes[..END.min(bytes.len())], &bytes[bytes.len().saturating_sub(END)..]];
            Sha256::digest(ends.concat())
        }
    };
    of_shape(rows, kind, hex(&sum))
}

fn of_shape(rows: &Rows<'_>, kind: &str, sum: String) -> Value {
    json!({"rows": rows.count, "columns": rows.width, "type": kind, "sha256": sum})
}

/// Layers to start from.
pub(crate) fn of_layers(layers: &[Affine]) -> Value {
    let shapes: Vec<Value> = layers
        .iter()
        .map(|layer| json!({"inputs": layer.inputs, "outputs": layer.outputs, "activation": layer.activation.name(), "convolution": layer.convolution}))
        .collect();
    let values = digest(
        layers
            .iter()
            .flat_map(|layer| [&layer.weight[..], &layer.bias[..], layer.threshold.as_deref().unwrap_or_default()]),
    );
    json!({"layers": shapes, "sha256": values})
}

/// Machines to start from.
pub(crate) fn of_machines<'r>(machines: impl IntoIterator<Item = &'r Rbm> + Clone) -> Value {
    let sizes: Vec<Value> = machines
        .clone()
        .into_iter()
        .map(|rbm| json!({"visible": rbm.visible_bias.len(), "visible-units": rbm.visible, "hidden": rbm.hidden_bias.len(), "hidden-units": rbm.hidden}))
        .collect();
    let of = |rbm: &'r Rbm| {
        [&rbm.weight[..], &rbm.visible_bias, &rbm.hidden_bias, rbm.deviation.as_deref().unwrap_or_default()]
    };
    json!({"machines": sizes, "sha256": digest(machines.into_iter().flat_map(of))})
}

fn digest<'v>(parts: impl IntoIterator<Item = &'v [f32]>) -> String {
    let mut sum = Sha256::new();
    for values in parts {
        for values in values.chunks(1 << 14) {
            let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
            sum.update(&bytes);
        }
    }
    hex(&sum.finalize())
}

fn hex(bytes: &impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// How two identities differ, field by field: the path of a field, and both values of it.
pub(crate) fn differences(before: &Value, now: &Value) -> Vec<(String, String)> {
    let text = |path: &str, before: &str, now: &str| format!("{path} was {before}, is {now}");
    differing(before, now, text)
}

/// The same, with `text` for a field and its two values.
pub(crate) fn differing(
    before: &Value,
    now: &Value,
    text: impl Fn(&str, &str, &str) -> String,
) -> Vec<(String, String)> {
    let mut found = Vec::new();
    compare("", before, now, &text, &mut found);
    found
}

fn compare(
    path: &str,
    before: &Value,
    now: &Value,
    text: &dyn Fn(&str, &str, &str) -> String,
    found: &mut Vec<(String, String)>,
) {
    if before == now {
        return;
    }
    if let (Value::Object(old), Value::Object(new)) = (before, now) {
        let added = new.keys().filter(|key| !old.contains_key(*key));
        for key in old.keys().chain(added) {
            let at = |values: &serde_json::Map<String, Value>| values.get(key).cloned().unwrap_or_default();
            let inner = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            compare(&inner, &at(old), &at(new), text, found);
        }
        return;
    }
    let text = match path.strip_suffix(".sha256") {
        Some(what) => format!("the values of {what} are others"),
        None => text(path, &shown(before), &shown(now)),
    };
    found.push((path.to_owned(), text));
}

fn shown(value: &Value) -> String {
    if value.is_null() { "not set".to_owned() } else { value.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_that_differs_is_named_with_both_values() {
        let before = json!({"recipe": {"batch": 100, "shift": null, "optimizer": {"adam": {"rate": 0.5}}}, "rows": {"sha256": "a"}});
        let now = json!({"recipe": {"batch": 100, "shift": 1, "optimizer": {"adam": {"rate": 0.25}}}, "rows": {"sha256": "b"}});
        let texts: Vec<String> = differences(&before, &now).into_iter().map(|(_, text)| text).collect();
        let expected = [
            "recipe.optimizer.adam.rate was 0.5, is 0.25",
            "recipe.shift was not set, is 1",
            "the values of rows are others",
        ];
        assert_eq!(texts, expected);
        assert!(differences(&now, &now).is_empty());
    }

    #[test]
    fn data_sets_are_told_apart_by_values_shape_and_type() {
        let numbers = [0.0, 1.0, 1.0, 0.0];
        let of = |width: usize| of_rows(&Rows::numbers(&numbers, width).expect("whole rows"), Hashed::Whole);
        let bytes = of_rows(&Rows::bytes(&[0, 255, 255, 0], 2).expect("whole rows"), Hashed::Whole);
        assert_ne!(of(1), of(2));
        assert_ne!(of(2), bytes);
        // printf '\x00\xff\xff\x00' | sha256sum
        assert_eq!(bytes["sha256"], "10db5223d19bd1d58c2b8eb3c723b0ba104cf17564f9434e53e1b9e642fb3b37");
    }
}
