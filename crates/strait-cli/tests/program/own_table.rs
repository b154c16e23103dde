//! From a table of one's own to codes, scores and reconstructions, by the commands of the README.

use crate::folder::Folder;

const TRAIN: &str = "train job.toml --data own.csv --labels state --device cpu --precision f32";

fn trained() -> Folder {
    let folder = Folder::new();
    folder.sensors("own.csv", 400);
    let job = folder.run("init autoencoder").stdout;
    folder.write("job.toml", &job);
    folder.run(&format!("{TRAIN} --out run --epochs 15"));
    folder
}

fn rows(table: &str) -> Vec<Vec<f64>> {
    let cell = |cell: &str| cell.parse().unwrap_or(f64::NAN);
    table.lines().skip(1).map(|line| line.split(',').map(cell).collect()).collect()
}

#[test]
fn the_commands_of_the_readme_work_on_a_table() {
    let folder = trained();
    let said = folder.run("eval run own.csv --device cpu --json").stdout;
    let said: serde_json::Value = serde_json::from_str(&said).expect("it is JSON");
    assert!(said["explained variance"].as_f64().is_some_and(|share| share > 0.3), "{said}");
    for file in ["codes.csv", "codes.npy", "codes.npz", "codes.safetensors", "codes.parquet"] {
        folder.run(&format!("encode run own.csv --out {file} --device cpu"));
    }
    // What is written is read again, and is the same.
    let codes = rows(&folder.read("codes.csv"));
    assert_eq!((codes.len(), codes[0].len()), (400, 3));
    for file in ["codes.npy", "codes.npz", "codes.safetensors", "codes.parquet"] {
        let described = folder.run(&format!("inspect {file} --json")).stdout;
        let described: serde_json::Value = serde_json::from_str(&described).expect("it is JSON");
        assert_eq!((&described["rows"], &described["columns"]), (&400.into(), &3.into()), "{file}");
        for (row, code) in described["first_rows"].as_array().expect("rows").iter().zip(&codes) {
            for (x, y) in row.as_array().expect("a row").iter().zip(code) {
                assert_eq!(x.as_f64().map(|x| x as f32), Some(*y as f32), "{file}");
            }
        }
    }
    // Decoding the codes is reconstructing the rows, in the scale of the data.
    folder.run("decode run codes.csv --out decoded.csv --device cpu");
    folder.run("reconstruct run own.csv --out made.csv --device cpu");
    let (decoded, made) = (rows(&folder.read("decoded.csv")), rows(&folder.read("made.csv")));
    assert!(folder.read("made.csv").starts_with("machine,temperature,pressure,speed,current\n"));
    for (x, y) in decoded.concat().iter().zip(made.concat()) {
        assert!((x - y).abs() <= 1e-5 * y.abs().max(1.0), "{x} against {y}");
    }
    let pressure = made.iter().map(|row| row[2]).sum::<f64>() / 400.0;
    assert!((pressure - 1e5).abs() < 50.0, "the mean of the pressures became {pressure}");
    // About one in a hundred rows held out is above the threshold.
    folder.run("score run own.csv --out scores.csv --device cpu");
    let scores = folder.read("scores.csv");
    assert!(scores.starts_with("row,score,anomaly\n0,"));
    let anomalies = scores.lines().filter(|line| line.ends_with("true")).count();
    assert!(anomalies < 20, "{anomalies} anomalies in 400 rows like those trained on");
    // The nearest row to a row is itself.
    folder.run("nearest run own.csv --against own.csv -n 2 --out near.csv --device cpu");
    let near = rows(&folder.read("near.csv"));
    assert_eq!(near.len(), 800);
    assert!(near.iter().step_by(2).all(|pair| pair[2] == 0.0));
    let described = folder.run("inspect run").stdout;
    for part in ["autoencoder", "rows of 5 numbers", "columns are scaled: standard", "epochs = 15"] {
        assert!(described.contains(part), "{part} is not in {described}");
    }
    folder.run("map run own.csv --out map.png --labels state --device cpu");
    assert!(folder.path("map.png").exists());
}

#[test]
fn columns_are_found_by_their_names() {
    let folder = trained();
    let table = folder.read("own.csv");
    let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split(',').collect()).collect();
    let with = |order: &[usize], extra: bool| {
        let line = |(i, cells): (usize, &Vec<&str>)| {
            let mut chosen: Vec<String> = order.iter().map(|&place| cells[place].to_owned()).collect();
            if extra {
                chosen.push(if i == 0 { "comment".to_owned() } else { "fine".to_owned() });
            }
            chosen.join(",") + "\n"
        };
        lines.iter().enumerate().map(line).collect::<String>()
    };
    folder.write("other.csv", &with(&[4, 2, 3, 0, 1], true));
    let same = folder.run("encode run own.csv --device cpu").stdout;
    let reordered = folder.run("encode run other.csv --device cpu");
    assert_eq!(reordered.stdout, same);
    assert!(reordered.stderr.contains("`comment`"), "{}", reordered.stderr);
    // A test set, too.
    folder.write("first.csv", &with(&[0, 1, 2, 3, 4], false));
    folder.write("reordered.csv", &with(&[4, 2, 3, 0, 1], false));
    for (test, run) in [("first.csv", "one"), ("reordered.csv", "two")] {
        let train = "train --kind autoencoder --data first.csv --device cpu --epochs 1";
        folder.run(&format!("{train} --test-data {test} --out {run}"));
    }
    let measured = |run: &str| -> serde_json::Value {
        let results = folder.read(&format!("{run}/results.json"));
        serde_json::from_str::<serde_json::Value>(&results).expect("it is JSON")["measured"].clone()
    };
    assert_eq!(measured("one"), measured("two"));
    folder.write("lacks.csv", &with(&[4, 2, 3, 1], false));
    let refused = folder.call("encode run lacks.csv --device cpu");
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("it lacks 1 of the model's columns: `machine`"), "{}", refused.stderr);
    assert_eq!(refused.stdout, "", "nothing is written of a file that is refused");
}

/// The last checkpoint is the model: what is done with rows before is part of it.
#[test]
fn checkpoints_are_models_with_their_preparation() {
    let folder = trained();
    for command in ["encode", "score"] {
        let [model, checkpoint] = ["run", "run/checkpoints/training.safetensors"]
            .map(|model| folder.run(&format!("{command} {model} own.csv --device cpu")).stdout);
        let rows = |text: &str| rows(text).into_iter().map(|row| row[..2].to_vec()).collect::<Vec<_>>();
        assert_eq!(rows(&model), rows(&checkpoint), "{command}");
    }
}

#[test]
fn standard_input_is_a_file_too() {
    let folder = trained();
    let file = std::fs::File::open(folder.path("own.csv")).expect("the table");
    let piped = folder.call_with("encode run - --device cpu", file);
    assert_eq!(piped.code, Some(0), "{}", piped.stderr);
    assert_eq!(piped.stdout, folder.run("encode run own.csv --device cpu").stdout);
}

#[test]
fn gaps_are_filled_by_what_was_learned() {
    let folder = Folder::new();
    folder.write(
        "gaps.csv",
        &(0..60).fold("a,b\n".to_owned(), |text, i| {
            if i % 10 == 3 { format!("{text}{i},\n") } else { format!("{text}{i},{}\n", 3 * i) }
        }),
    );
    let refused = folder.call("train --kind pca --data gaps.csv --out run --device cpu");
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("--missing mean"), "{}", refused.stderr);
    folder.run("train --kind pca --data gaps.csv --missing mean --out run --device cpu --hidden 1");
    // One row alone has no mean of its own.
    folder.write("one.csv", "a,b\n7,\n");
    folder.write("mean.csv", "a,b\n7,89\n");
    let filled = folder.run("encode run one.csv --device cpu").stdout;
    let mean = rows(&folder.run("encode run mean.csv --device cpu").stdout)[0][0];
    assert!((rows(&filled)[0][0] - mean).abs() < 2.0, "{filled} against {mean}");
}

#[test]
fn times_come_back_with_all_their_digits() {
    let folder = Folder::new();
    let line = |i: usize| format!("{},{}\n", 1_600_000_000 + 3 * i, (i as f64 * 0.1).sin());
    folder.write("times.csv", &format!("time,x\n{}", (0..400).map(line).collect::<String>()));
    folder.run("train --kind pca --data times.csv --scale standard --hidden 2 --out run --device cpu");
    folder.run("reconstruct run times.csv --out made.csv --device cpu");
    for (i, row) in rows(&folder.read("made.csv")).iter().enumerate() {
        let time = (1_600_000_000 + 3 * i) as f64;
        assert!((row[0] - time).abs() < 0.01, "{} for {time}", row[0]);
    }
}

#[test]
fn wrong_input_is_one_sentence() {
    let folder = trained();
    folder.write("text.toml", "kind = \"autoencoder\"\nhiden = [3]\n");
    folder.write("narrow.csv", &(0..30).fold("x\n".to_owned(), |text, i| format!("{text}{i}\n")));
    for (arguments, code, expected) in [
        ("train", 1, "name a job"),
        ("train job.toml", 1, "no data are named"),
        ("train missing.toml --data own.csv", 1, "missing.toml: the job cannot be read"),
        ("train text.toml --data own.csv", 1, "line 2: unknown field `hiden`"),
        ("train --kind autoencodr --data own.csv", 2, "no such kind of model"),
        ("train --kind autoencoder --data own.csv --out wrong", 1, "column `state`: `off` is not a number"),
        ("train --kind classifier --data narrow.csv --out wrong", 1, "needs labels"),
        (
            "train --kind pca --data narrow.csv --out wrong --set training.epochs=3",
            1,
            "`training` is no setting of the kind pca",
        ),
        ("train --kind autoencoder --data narrow.csv --out wrong --set training.epoch=3", 1, "unknown field `epoch`"),
        (
            "train --kind autoencoder --data narrow.csv --out wrong --set training.batch=many",
            1,
            "[training] batch: invalid type: string \"many\"",
        ),
        ("train --kind autoencoder --data narrow.csv --out wrong --hidden 0", 1, "none of size 0"),
        (
            "train --kind autoencoder --data narrow.csv --out wrong --set training.kl-weight=2",
            1,
            "does nothing for the kind",
        ),
        (
            "train --kind autoencoder --data narrow.csv --out wrong --hidden 1000000000000",
            1,
            "GB while they are trained",
        ),
        ("train --kind dbn --data own.csv --labels state --scale standard --out wrong", 1, "use --scale clipped"),
        ("train --kind pca --data narrow.csv --epochs 3 --out wrong", 1, "not trained in epochs"),
        ("train --resume --out wrong", 1, "holds no job.toml"),
        ("encode run own.csv --out own.csv --device cpu", 1, "this is the file that is read"),
        ("map run own.csv --out map.svg --device cpu", 1, "must be png"),
        ("encode nowhere own.csv", 1, "nowhere: no such file or folder in"),
        ("encode own.csv own.csv", 1, "own.csv"),
        ("encode run narrow.csv --device cpu", 1, "lacks 5 of the model's columns"),
        ("encode run own.csv --out codes.xls --device cpu", 1, "the ending must be npy"),
        ("encode run own.csv --out no/such/folder/codes.npy --device cpu", 1, "no/such/folder/codes.npy"),
        ("sample run --device cpu", 1, "sample rows"),
        ("classify run own.csv --device cpu", 1, "has no classes"),
        ("nearest run own.csv --against own.csv -n 500 --device cpu", 1, "-n 500"),
        ("init autoencodr", 1, "no such job"),
    ] {
        let outcome = folder.call(arguments);
        assert_eq!(outcome.code, Some(code), "strait {arguments}: {}", outcome.text());
        assert!(outcome.stderr.contains(expected), "strait {arguments} should say {expected}: {}", outcome.stderr);
        assert!(!outcome.stderr.contains("panicked"), "{}", outcome.stderr);
    }
    assert!(!folder.path("wrong").join("model.safetensors").exists());
}
