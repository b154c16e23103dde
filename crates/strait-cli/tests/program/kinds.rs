//! Every kind of job, on a few pictures of digits and on a table, and every job that comes with strait.

use std::path::{Path, PathBuf};

use crate::folder::Folder;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Pictures of 8 x 8 with a bar that stands or lies, and the class of each.
fn pictures(folder: &Folder) {
    let mut text: String = (0..64).map(|pixel| format!("p{pixel},")).collect();
    text.push_str("bar\n");
    for i in 0..ROWS {
        let (place, lies) = (i / 2 % 8, i % 2 == 0);
        for pixel in 0..64 {
            let on = if lies { pixel / 8 == place } else { pixel % 8 == place };
            text.push_str(if on { "1," } else { "0.1," });
        }
        text.push_str(if lies { "lies\n" } else { "stands\n" });
    }
    folder.write("bars.csv", &text);
}

const ROWS: usize = 200;

#[test]
fn every_kind_trains_on_pictures_and_is_used() {
    let folder = Folder::new();
    pictures(&folder);
    for (kind, more, uses) in [
        ("autoencoder", "--hidden 32,8", &["encode", "reconstruct", "score"][..]),
        ("vae", "--hidden 32,4", &["encode", "reconstruct", "score", "sample"]),
        ("convolutional", "--hidden 4,2", &["encode", "reconstruct", "score"]),
        (
            "sequence",
            "--hidden 16,6 --set sequence.cell=gru --set sequence.steps=8",
            &["encode", "reconstruct", "score"],
        ),
        ("dictionary", "--hidden 40 --set top-k=4 --set rounds=2", &["encode", "reconstruct", "score"]),
        ("predictive-sparse", "--hidden 40", &["encode", "reconstruct", "score"]),
        ("pca", "--hidden 5", &["encode", "reconstruct", "score"]),
        ("rbm", "--hidden 16", &["encode", "reconstruct", "score", "sample"]),
        ("stack", "--hidden 32,8", &["encode", "reconstruct", "score"]),
        ("dbn", "--hidden 32,16 --set up-down.epochs=1", &["encode", "classify", "score", "sample"]),
        ("classifier", "--hidden 32", &["encode", "classify"]),
    ] {
        let epochs = if kind == "pca" { "" } else { "--epochs 2" };
        let (read, precision) = ("--data bars.csv --labels bar", "--device cpu --precision f32");
        folder.run(&format!("train --kind {kind} {read} --out {kind} {more} {epochs} {precision}"));
        for file in ["model.safetensors", "results.json", "job.toml", "filters.png"] {
            // PCA and convolutional nets have no filter picture.
            let drawn = file != "filters.png" || !["pca", "convolutional", "sequence"].contains(&kind);
            assert_eq!(folder.path(kind).join(file).exists(), drawn, "{kind}: {file}");
        }
        for command in uses {
            let (data, rows) = if *command == "sample" { ("-n 3", 3) } else { ("bars.csv", ROWS) };
            folder.run(&format!("{command} {kind} {data} --device cpu --out {command}.csv"));
            assert_eq!(folder.read(&format!("{command}.csv")).lines().count(), 1 + rows, "{kind} {command}");
        }
        if uses.contains(&"classify") {
            let classes = folder.read("classify.csv");
            assert!(classes.contains(",lies\n") || classes.contains(",stands\n"), "classes are written by their names");
        }
        // The saved job.toml trains the same model.
        folder.run(&format!("train {kind}/job.toml --out again {precision}"));
        let model = |run: &str| std::fs::read(folder.path(run).join("model.safetensors")).expect("a model");
        assert!(model(kind) == model("again"), "{kind}: the job that was kept trains another model");
    }
}

#[test]
fn commented_jobs_are_jobs() {
    let folder = Folder::new();
    folder.sensors("own.csv", 200);
    let listed = folder.run("init").stdout;
    let names: Vec<&str> = listed.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(names.len(), 16);
    for name in names {
        folder.write("job.toml", &folder.run(&format!("init {name}")).stdout);
        let epochs = if name == "pca" { "" } else { "--epochs 1" };
        let outcome =
            folder.call(&format!("train job.toml --data own.csv --labels state --dry-run {epochs} --device cpu"));
        // A convolutional net needs pictures, and rows of a table are no sequences by themselves.
        let wanted = if ["convolutional", "sequence"].contains(&name) { 1 } else { 0 };
        assert_eq!(outcome.code, Some(wanted), "{name}: {}", outcome.text());
    }
}

/// What the units of a dictionary answer to: one of them to each kind of rows.
#[test]
fn units_of_a_dictionary_are_inspected() {
    let folder = Folder::new();
    let rows: String = (0..120)
        .map(|row| {
            (0..6)
                .map(|i| format!("{}", if i == row % 6 { 1.0 + f64::from(row) / 100.0 } else { 0.0 }))
                .collect::<Vec<_>>()
                .join(",")
                + "\n"
        })
        .collect();
    folder.write("rows.csv", &format!("a,b,c,d,e,f\n{rows}"));
    folder.run("train --kind dictionary --data rows.csv --hidden 24 --set top-k=1 --epochs 30 --out run --device cpu");
    let text = folder.call("inspect run --rows rows.csv --top 3").text();
    assert!(text.contains("numbers of a code are not 0") && text.contains("moved most by rows"), "{text}");
    let json: serde_json::Value =
        serde_json::from_str(&folder.call("inspect run --rows rows.csv --top 3 --json").text()).expect("it is JSON");
    let units = json["units"].as_array().expect("units");
    assert_eq!((units.len(), json["rows"].as_u64()), (24, Some(120)));
    // The largest row of a kind moves its unit most.
    let rows_of = |unit: &serde_json::Value| unit["top"].as_array().map_or(0, Vec::len);
    let used = units.iter().find(|unit| rows_of(unit) == 3).expect("a unit is used by three rows");
    let [first, last] = [0, 2].map(|place| used["top"][place]["value"].as_f64().expect("a number"));
    assert!(first >= last);
    // The report tells the same of rows held out.
    let [report, uses] = ["report.html", "units.json"].map(|name| folder.read(&format!("run/{name}")));
    assert!(report.contains("units by the share of rows") && uses.contains("most_used"), "{report}");
    lists_are_the_codes(&folder, "run");
    let refused = folder.call("inspect rows.csv --rows rows.csv");
    assert!(refused.code == Some(1) && refused.text().contains("this is no model"), "{}", refused.text());
}

/// `encode --lists` gives the units and numbers that `encode` gives as rows.
fn lists_are_the_codes(folder: &Folder, run: &str) {
    folder.run(&format!("encode {run} rows.csv --out codes.csv --device cpu"));
    folder.run(&format!("encode {run} rows.csv --lists --out lists.csv --device cpu"));
    let table = |name: &str| -> Vec<Vec<f64>> {
        let text = folder.read(name);
        text.lines().skip(1).map(|line| line.split(',').map(|x| x.parse().expect("a number")).collect()).collect()
    };
    let (codes, lists) = (table("codes.csv"), table("lists.csv"));
    assert_eq!(codes.len(), lists.len());
    for (code, list) in codes.iter().zip(&lists) {
        let (units, values) = list.split_at(list.len() / 2);
        let mut made = vec![0.0; code.len()];
        units.iter().zip(values).filter(|(_, x)| **x != 0.0).for_each(|(unit, x)| made[*unit as usize] = *x);
        assert_eq!(&made, code);
    }
}

#[test]
fn dictionaries_with_thresholds_come_and_go() {
    let folder = Folder::new();
    let rows: String = (0..120).map(|row| format!("{},{},{}\n", row % 6, row % 5, (row * 7) % 11)).collect();
    folder.write("rows.csv", &format!("a,b,c\n{rows}"));
    let train =
        "train --kind dictionary --data rows.csv --scale none --hidden 20 --set top-k=2 --epochs 8 --device cpu";
    for (sparsity, more) in
        [("batch-top-k", "--set aux-k=2"), ("jump-relu", "--set bandwidth=0.2 --set centre=geometric-median")]
    {
        folder.run(&format!("{train} --set sparsity={sparsity} {more} --out {sparsity}"));
        lists_are_the_codes(&folder, sparsity);
        folder.run(&format!("export {sparsity} --saelens {sparsity}.sae"));
        assert!(folder.read(&format!("{sparsity}.sae/cfg.json")).contains("jumprelu"));
        folder.run(&format!("import saelens {sparsity}.sae --out {sparsity}.strait"));
        let codes = [sparsity.to_owned(), format!("{sparsity}.strait")].map(|model| {
            folder.run(&format!("encode {model} rows.csv --out again.csv --device cpu"));
            folder.read("again.csv")
        });
        assert_eq!(codes[0], codes[1]);
    }
    for (setting, told) in [
        ("bandwidth=0.5", "`bandwidth` does nothing without `sparsity = \"jump-relu\"`"),
        ("aux-weight=0.5", "`aux-weight` does nothing without `aux-k`"),
        ("sparsity=best", "expected one of `top-k`, `batch-top-k`, `jump-relu`"),
    ] {
        let refused = folder.call(&format!("{train} --set {setting} --out refused"));
        assert!(refused.code == Some(1) && refused.text().contains(told), "{}", refused.text());
    }
    folder.run("train --kind pca --data rows.csv --hidden 2 --out pca --device cpu");
    let refused = folder.call("encode pca rows.csv --lists --out lists.csv --device cpu");
    assert!(refused.text().contains("--lists is for codes of few numbers"), "{}", refused.text());
    let refused = folder.call("export jump-relu --sparsify spf");
    assert!(refused.text().contains("write SAELens' format"), "{}", refused.text());
}

#[test]
fn the_jobs_that_come_with_strait_are_jobs() {
    let mut found = 0;
    for entry in std::fs::read_dir(root().join("examples/jobs")).expect("the jobs") {
        let path = entry.expect("an entry").path();
        let text = std::fs::read_to_string(&path).expect("a job");
        let job: Result<strait::job::Job, _> = text.parse();
        assert!(job.is_ok(), "{}: {:?}", path.display(), job.err());
        found += 1;
    }
    assert!(found > 10, "{found} jobs");
}

/// A long series: windows of it are rows, in training and for every command, and columns are found by their names.
#[test]
fn series_are_cut_into_windows() {
    let folder = Folder::new();
    let series = |order: [&str; 2], broken: bool| {
        let mut text = format!("time,{},{}\n", order[0], order[1]);
        for t in 0..400 {
            let (flow, pressure) = ((f64::from(t) / 5.0).sin(), 10.0 + 2.0 * (f64::from(t) / 5.0).cos());
            let flow = if broken && (200..230).contains(&t) { 3.0 } else { flow };
            let value = |name: &str| if name == "flow" { flow } else { pressure };
            text.push_str(&format!("{t},{:.4},{:.4}\n", value(order[0]), value(order[1])));
        }
        text
    };
    folder.write("known.csv", &series(["flow", "pressure"], false));
    folder.write("new.csv", &series(["pressure", "flow"], true));
    for (kind, run) in [("sequence --hidden 12,4", "run"), ("convolutional --hidden 6,2 --set kernel=5", "convolved")] {
        folder.run(&format!(
            "train --kind {kind} --data known.csv --columns flow,pressure --window 20 --stride 2 --epochs 40 --out {run} \
             --device cpu --precision f32"
        ));
        folder.run(&format!("score {run} new.csv --device cpu --out scores.csv"));
        let scores: Vec<f64> = folder
            .read("scores.csv")
            .lines()
            .skip(1)
            .map(|line| line.split(',').nth(1).and_then(|score| score.parse().ok()).expect("a score"))
            .collect();
        assert_eq!(scores.len(), (400 - 20) / 2 + 1);
        let strangest = (0..scores.len()).max_by(|&a, &b| scores[a].total_cmp(&scores[b])).expect("there are windows");
        assert!(
            (90..116).contains(&strangest),
            "{kind}: window {strangest} is the strangest, which begins at step {}",
            2 * strangest
        );
        folder.run(&format!("encode {run} new.csv --stride 20 --device cpu --out codes.csv"));
        assert_eq!(folder.read("codes.csv").lines().count(), 1 + 20);
    }
    let patchy = "at,x\n".to_owned()
        + &(0..60).map(|t| format!("2026-11-30 10:{:02}:00,{}\n", t - t % 20 / 19, t % 7)).collect::<String>();
    folder.write("patchy.csv", &patchy);
    let outcome =
        folder.call("train --kind sequence --data patchy.csv --window 10 --time at --out other --dry-run --device cpu");
    assert!(outcome.text().contains("`at` goes by 60 from step to step, but not in 5 places"), "{}", outcome.text());
    for (arguments, said) in [
        ("train --kind sequence --data known.csv --out other", "--window"),
        ("train --kind convolutional --data known.csv --set steps=2 --out other", "3 values are not so many steps"),
        ("train --kind sequence --data known.csv --window 500 --out other", "400 steps are fewer than the 500"),
        ("train --kind sequence --data known.csv --stride 5 --out other", "--stride 5 needs --window"),
        ("train --kind sequence --data known.csv --time time --out other", "--time time needs --window"),
        (
            "train --kind sequence --data known.csv --window 20 --labels time --out other",
            "windows of a series have none",
        ),
        ("train --kind sequence --data known.csv --set sequence.steps=2 --out other", "3 values are not so many steps"),
    ] {
        let outcome = folder.call(&format!("{arguments} --device cpu"));
        assert_eq!(outcome.code, Some(1), "{arguments}: {}", outcome.text());
        assert!(outcome.text().contains(said), "{arguments}: {}", outcome.text());
    }
}

/// What is judged on the rows held out is said so, of every kind of training; and what is decided on the way is told where that is asked for.
#[test]
fn trainings_end_early_and_say_on_what_they_were_judged() {
    let folder = Folder::new();
    pictures(&folder);
    for (kind, more) in [
        ("dictionary", "--hidden 40 --set top-k=4 --set rounds=2 --set training.early-stopping.patience=1"),
        ("stack", "--hidden 32,8 --set pretrain.early-stopping.patience=1"),
        ("dbn", "--hidden 32,16 --set pretrain.early-stopping.patience=1 --set up-down.early-stopping.patience=1"),
        ("classifier", "--hidden 16,8 --set denoising.epochs=3 --set denoising.early-stopping.patience=1"),
    ] {
        let read = "--data bars.csv --labels bar --device cpu --precision f32 --epochs 4";
        let told = folder.call(&format!("-v train --kind {kind} {read} --out {kind} {more}"));
        assert_eq!(told.code, Some(0), "{kind}: {}", told.text());
        for part in ["opened data", "loaded a program", "wrote a checkpoint", "the device keeps all rows"] {
            assert!(told.text().contains(part), "{kind}: {part} is not in {}", told.text());
        }
        assert!(folder.read(&format!("{kind}/results.json")).contains("\"judged_on_test_set\": true"), "{kind}");
        assert!(folder.read(&format!("{kind}/report.html")).contains("the test set decided"), "{kind}");
    }
    folder.run("train --kind pca --data bars.csv --labels bar --out pca --device cpu");
    assert!(!folder.read("pca/results.json").contains("judged"));
}
