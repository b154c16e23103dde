//! Machines of every kind of unit and chain learn what they should.

use strait_compute::philox::Stream;
use strait_compute::{Cpu, Device, Groups, Program, Routine, Step, go_on};
use strait_data::{Labelled, Rows};
use strait_models::{Dbn, Rbm, Stack, TotalInput, Units, Wanted};
use strait_train::{Chain, Pretrain, UpDown};

fn device() -> Device {
    Device::new(Cpu::with_threads(1).expect("threads start"))
}

/// Bars and stripes: 3 x 3 images whose rows, or columns, are all on or all off, with one of two labels behind them.
fn bars_and_stripes() -> Vec<f32> {
    let mut rows = Vec::new();
    for pattern in 0..8u32 {
        let line = |i: usize| (pattern >> i & 1) as f32;
        rows.extend((0..9).map(|i| line(i / 3)).chain([1.0, 0.0]));
        rows.extend((0..9).map(|i| line(i % 3)).chain([0.0, 1.0]));
    }
    rows
}

const LABELLED: Units = Units::Softmax(Groups { first: 9, classes: 2 });

fn log_likelihood(rbm: &Rbm, rows: Rows<'_>) -> f64 {
    let energies = rbm.free_energies(&device(), rows).expect("they are computed");
    let log_z = rbm.log_partition(&device(), None).expect("few states");
    -energies.iter().sum::<f64>() / energies.len() as f64 - log_z
}

fn fit(recipe: &Pretrain, hidden: usize, rows: Rows<'_>) -> Rbm {
    let trained = recipe.fit(&device(), &[rows.width, hidden], rows).expect("it learns");
    trained.stack.rbms.into_iter().next().expect("one machine")
}

fn slow(code: Units) -> Pretrain {
    Pretrain {
        batch: 16,
        rate: 0.05,
        gaussian_rate: 0.02,
        final_momentum: 0.5,
        weight_cost: 0.0,
        code,
        seed: 5,
        ..Pretrain::default()
    }
}

/// The mean of a unit is the derivative of what is left when its states are summed out.
#[test]
fn means_are_derivatives_of_the_normalisers() {
    let inputs = [-2.0, -0.3, 0.0, 0.4, 1.1, 3.0f32];
    let given = [0.0, 1.0, 3.0, 0.0, 1.0, 0.0f32];
    let groups = Units::Softmax(Groups { first: 2, classes: 2 });
    for (units, tolerance) in
        [(Units::Bernoulli, 1e-5), (Units::Gaussian, 1e-5), (groups, 1e-5), (Units::Rectified, 2e-2)]
    {
        let mut program = Program::default();
        let mut values = |name: &str, rows: usize, cols: usize| program.value(name, rows, cols);
        let (input, weight, bias) = (values("x", 1, 1), values("w", 1, 6), values("b", 1, 6));
        let (mean, count) = (values("mean", 1, 6), values("given", 1, 6));
        let mut routine = Routine::new("means");
        let total = TotalInput { input, weight, transposed: false, bias };
        let wanted = Wanted::mean(mean).given(Some(count));
        units.record(&mut program, &mut routine, total, wanted).expect("the shapes fit");
        program.infer_roles(&routine);
        let routine = program.add(routine);
        let mut execution = device().load(program).expect("it loads");
        execution.write(bias, &inputs).expect("it is written");
        execution.write(count, &given).expect("it is written");
        execution.run(routine, &[Step { rows: 1, ..Step::default() }], &mut go_on).expect("it runs");
        for (unit, found) in execution.read(mean).expect("it is read").into_iter().enumerate() {
            let at = |by: f64| {
                let mut inputs = inputs.map(f64::from);
                inputs[unit] += by;
                units.log_normaliser(&inputs, Some(&given))
            };
            let expected = (at(1e-4) - at(-1e-4)) / 2e-4;
            assert!((f64::from(found) - expected).abs() < tolerance, "{units:?}, {unit}: {found}, not {expected}");
        }
    }
}

#[test]
fn every_kind_of_unit_learns() {
    let values = bars_and_stripes();
    let rows = Rows::numbers(&values, 11).expect("whole rows");
    let hidden_groups = Units::Softmax(Groups { first: 4, classes: 4 });
    for (code, epochs) in [(Units::Bernoulli, 2000), (hidden_groups, 2000), (Units::Rectified, 2000)] {
        let recipe = Pretrain { epochs, visible: LABELLED, ..slow(code) };
        let likelihood = log_likelihood(&fit(&recipe, 12, rows), rows);
        // 2⁹ images with a label each are as likely as the others at first; 16 rows, no model is above −2.77.
        println!("{code:?}: {likelihood:.2}");
        assert!((-5.5..-2.77).contains(&likelihood), "{code:?}: {likelihood}");
    }
}

#[test]
fn tempered_chains_learn_more_than_contrastive_divergence() {
    let values = bars_and_stripes().repeat(4);
    let rows = Rows::numbers(&values, 11).expect("whole rows");
    let likelihood = |chain: Chain| {
        let base = slow(Units::Bernoulli);
        let recipe = Pretrain { epochs: 5000, batch: 64, rate: 0.02, visible: LABELLED, chain, ..base };
        log_likelihood(&fit(&recipe, 12, rows), rows)
    };
    let tempered = Chain::Tempered { chains: 5, hottest: 0.2 };
    let [data, persistent, tempered] = [Chain::Data, Chain::Persistent, tempered].map(likelihood);
    println!("CD-1 {data:.3}, PCD-1 {persistent:.3}, tempered {tempered:.3}");
    assert!(data < tempered && tempered < -2.77, "CD-1 {data}, tempered {tempered}");
    let wrong = |chains, hottest| Pretrain { chain: Chain::Tempered { chains, hottest }, ..Pretrain::default() };
    assert!(wrong(1, 0.5).check().is_err() && wrong(3, 1.0).check().is_err());
    assert!(Pretrain { centred: true, ..wrong(3, 0.5) }.check().is_err());
}

/// A centred machine learns the same of data and of their negatives (Montavon & Müller 2012), a plain one does not.
#[test]
fn a_centred_machine_does_not_mind_negatives() {
    let values: Vec<f32> = bars_and_stripes().chunks_exact(11).flat_map(|row| row[..9].to_vec()).collect();
    // A mean far from ½: all that is mostly off.
    let few: Vec<f32> =
        (0..160).flat_map(|i| if i % 10 == 0 { values[9 * (i / 10)..][..9].to_vec() } else { vec![0.0; 9] }).collect();
    let flipped: Vec<f32> = few.iter().map(|x| 1.0 - x).collect();
    let gap = |centred: bool| {
        let [one, other] = [&few, &flipped].map(|values| {
            let rows = Rows::numbers(values, 9).expect("whole rows");
            let recipe = Pretrain { epochs: 300, centred, ..slow(Units::Bernoulli) };
            log_likelihood(&fit(&recipe, 12, rows), rows)
        });
        println!("centred {centred}: {one:.3} and {other:.3}");
        (one - other).abs()
    };
    let (plain, centred) = (gap(false), gap(true));
    assert!(centred < 0.5 * plain, "plain machines differ by {plain}, centred ones by {centred}");
}

/// The change of σ in one step against finite differences of the exact log-likelihood.
#[test]
fn deviations_follow_the_gradient_and_are_found() {
    let mut stream = Stream::new(3, 0);
    let deviations = [0.5, 2.0, 1.0f32];
    let values: Vec<f32> = (0..2000 * 3).map(|i| deviations[i % 3] * stream.next_normal()).collect();
    let rows = Rows::numbers(&values, 3).expect("whole rows");
    let rate = 1e-3;
    let recipe = Pretrain {
        epochs: 1,
        batch: 2000,
        visible: Units::Gaussian,
        deviation_rate: Some(rate),
        gaussian_rate: 1e-12,
        ..slow(Units::Bernoulli)
    };
    let after = fit(&recipe, 2, rows);
    let found = after.deviation.clone().expect("they are learned");
    for (unit, found) in found.into_iter().enumerate() {
        let at = |log: f32| {
            let mut deviation = vec![1.0; 3];
            deviation[unit] = log.exp();
            log_likelihood(&Rbm { deviation: Some(deviation), ..after.clone() }, rows)
        };
        let slope = (at(0.02) - at(-0.02)) / 0.04;
        let moved = f64::from(found.ln() / rate);
        assert!((moved - slope).abs() < 0.02 * (1.0 + slope.abs()), "unit {unit}: {moved}, not {slope}");
    }
    let recipe = Pretrain { epochs: 40, batch: 100, deviation_rate: Some(0.02), gaussian_rate: 0.001, ..recipe };
    let rbm = fit(&recipe, 2, rows);
    for (found, expected) in rbm.deviation.expect("they are learned").into_iter().zip(deviations) {
        assert!((found / expected - 1.0).abs() < 0.1, "{found}, not {expected}");
    }
}

#[test]
fn a_cost_of_absolute_values_makes_weights_zero() {
    let values = bars_and_stripes();
    let rows = Rows::numbers(&values, 11).expect("whole rows");
    let zeros = |absolute_cost: f32| {
        let recipe = Pretrain { epochs: 1000, visible: LABELLED, absolute_cost, ..slow(Units::Bernoulli) };
        fit(&recipe, 12, rows).weight.iter().filter(|w| **w == 0.0).count()
    };
    assert_eq!(zeros(0.0), 0);
    let some = zeros(0.03);
    assert!((10..130).contains(&some), "{some} of 132 weights are 0");
}

/// What is watched while a machine learns is what its free energies are afterwards, and grows where it overfits.
#[test]
fn the_gap_of_free_energies_is_watched() {
    let mut stream = Stream::new(8, 0);
    let mut draw = |rows: usize| (0..rows * 9).map(|_| (stream.next_word() >> 31) as f32).collect::<Vec<_>>();
    let (known, unknown) = (draw(20), draw(20));
    let mean = |rbm: &Rbm, values: &[f32]| {
        let rows = Rows::numbers(values, 9).expect("whole rows");
        let energies = rbm.free_energies(&device(), rows).expect("they are computed");
        energies.iter().sum::<f64>() / energies.len() as f64
    };
    let [rows, held_out] = [&known, &unknown].map(|values| Rows::numbers(values, 9).expect("whole rows"));
    let plain = Pretrain { epochs: 300, batch: 10, ..slow(Units::Bernoulli) };
    let gaussian = Pretrain { visible: Units::Gaussian, epochs: 50, deviation_rate: Some(0.001), ..plain.clone() };
    let centred = Pretrain { deviation_rate: None, centred: true, ..gaussian.clone() };
    for recipe in [plain.clone(), Pretrain { centred: true, ..plain }, gaussian, centred] {
        let trained =
            recipe.run(&device(), &[9, 20], rows).and_then(|run| run.held_out(held_out)?.train()).expect("it learns");
        let rbm = &trained.stack.rbms[0];
        let gaps: Vec<f64> =
            trained.layers[0].iter().map(|epoch| epoch.free_energy_gap.expect("it is watched")).collect();
        let (found, expected) = (gaps[gaps.len() - 1], mean(rbm, &unknown) - mean(rbm, &known));
        assert!((found - expected).abs() < 2e-3 * (1.0 + expected.abs()), "{recipe:?}: {found}, not {expected}");
        if rbm.visible == Units::Bernoulli {
            assert!(found > gaps[0] + 1.0, "{recipe:?}: {} at first, {found} in the end", gaps[0]);
        }
    }
    // Of sorted data, held out in another order, rows of all kinds are watched.
    let sorted = |share: [f32; 2]| share.map(|share| vec![share; 1000 * 9]).concat();
    let (known, unknown) = (sorted([0.1, 0.9]), sorted([0.9, 0.1]));
    let [rows, others] = [&known, &unknown].map(|values| Rows::numbers(values, 9).expect("whole rows"));
    let trained = slow(Units::Bernoulli)
        .run(&device(), &[9, 4], rows)
        .and_then(|run| run.held_out(others)?.train())
        .expect("it learns");
    let (gap, rbm) = (trained.layers[0].last().and_then(|epoch| epoch.free_energy_gap), &trained.stack.rbms[0]);
    let energy = |row: usize| rbm.free_energies(&device(), rows.range(row..row + 1)).expect("they are computed")[0];
    let (gap, of_kinds) = (gap.expect("it is watched"), energy(0) - energy(1000));
    assert!(gap.abs() < 0.3 * of_kinds.abs(), "{gap}, of {of_kinds} between the kinds");
    // Machines above see the same rows as the ones below gave them.
    let recipe = Pretrain { epochs: 2, batch: 10, code: Units::Bernoulli, ..Pretrain::default() };
    let trained =
        recipe.run(&device(), &[9, 8, 5], rows).and_then(|run| run.held_out(held_out)?.train()).expect("it learns");
    assert!(trained.layers.iter().flatten().all(|epoch| epoch.free_energy_gap.is_some_and(f64::is_finite)));
}

/// A machine of words learns from documents which words go with which: given three of a topic's twenty, it expects the others.
#[test]
fn a_machine_of_words_finds_the_twenty_words_of_a_topic() {
    const TOPICS: usize = 4;
    const OWN: usize = 20;
    let mut stream = Stream::new(6, 0);
    let mut below = |end: usize| stream.next_word() as usize % end;
    let mut values = vec![0.0f32; 1000 * TOPICS * OWN];
    for (number, document) in values.chunks_exact_mut(TOPICS * OWN).enumerate() {
        for _ in 0..20 + below(20) {
            // One word in ten is any.
            let word = if below(10) == 0 { below(TOPICS * OWN) } else { number % TOPICS * OWN + below(OWN) };
            document[word] += 1.0;
        }
    }
    let rows = Rows::numbers(&values, TOPICS * OWN).expect("whole rows");
    let visible = Units::Softmax(Groups::one(TOPICS * OWN));
    let recipe = Pretrain { epochs: 30, batch: 50, rate: 0.01, visible, ..slow(Units::Bernoulli) };
    let rbm = fit(&recipe, 10, rows);
    for topic in 0..TOPICS {
        let mut query = vec![0.0; TOPICS * OWN];
        query[topic * OWN..topic * OWN + 3].fill(8.0);
        let query = Rows::numbers(&query, TOPICS * OWN).expect("a row");
        let expected = rbm.expected(&device(), query).expect("it is computed");
        let mut words: Vec<usize> = (0..TOPICS * OWN).collect();
        words.sort_by(|&i, &j| expected[j].total_cmp(&expected[i]));
        assert!(words[..OWN].iter().all(|word| word / OWN == topic), "topic {topic}: {:?}", &words[..OWN]);
    }
}

/// ln p(label | row) of a machine with labels, summed over its hidden units in double precision.
fn log_posterior(rbm: &Rbm, row: &[f32], label: usize, classes: usize) -> f64 {
    let hidden = rbm.hidden_bias.len();
    let with = |class: usize| {
        let units = (0..hidden).map(|j| {
            let weight = |i: usize| f64::from(rbm.weight[i * hidden + j]);
            let input: f64 = row.iter().enumerate().map(|(i, x)| f64::from(*x) * weight(i)).sum();
            (f64::from(rbm.hidden_bias[j]) + input + weight(row.len() + class)).exp().ln_1p()
        });
        f64::from(rbm.visible_bias[row.len() + class]) + units.sum::<f64>()
    };
    with(label) - (0..classes).map(|class| with(class).exp()).sum::<f64>().ln()
}

#[test]
fn the_discriminative_gradient_is_that_of_the_posterior() {
    const COPIES: usize = 20_000;
    let (inputs, classes, hidden, rate) = (3, 3, 4, 0.5);
    let mut net = Dbn::alone(inputs, classes, hidden, &mut Stream::new(3, 0)).expect("it is made");
    net.top.weight.iter_mut().enumerate().for_each(|(i, w)| *w = ((i * 37 % 23) as f32 - 11.0) / 8.0);
    net.top.hidden_bias.iter_mut().enumerate().for_each(|(j, b)| *b = 0.3 * j as f32 - 0.4);
    net.top.visible_bias[inputs..].copy_from_slice(&[0.5, -0.2, 0.0]);
    let before = net.clone();
    let (rows, labels) = ([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0f32]], [0u32, 2]);
    let values = rows.concat().repeat(COPIES);
    let labelled = Labelled::new(Rows::numbers(&values, inputs).expect("whole rows"), &labels.repeat(COPIES), classes)
        .expect("a label for each");
    // One step, whose drawn labels are as many as there are rows.
    let recipe = UpDown { epochs: 1, batch: 2 * COPIES, rate, momentum: 0.0, generative: 0.0, ..UpDown::default() };
    let recipe = UpDown { discriminative: 2.0, ..recipe };
    recipe.fit(&device(), &mut net, labelled.rows()).expect("it learns");
    let objective = |net: &Dbn| -> f64 {
        rows.iter().zip(labels).map(|(row, label)| log_posterior(&net.top, row, label as usize, classes)).sum::<f64>()
    };
    type Parameters = fn(&mut Rbm) -> &mut Vec<f32>;
    let parameters: [Parameters; 3] = [|rbm| &mut rbm.weight, |rbm| &mut rbm.hidden_bias, |rbm| &mut rbm.visible_bias];
    let mut largest = 0.0f64;
    for of in parameters {
        for i in 0..of(&mut net.top).len() {
            let moved = |by: f32| {
                let mut net = before.clone();
                of(&mut net.top)[i] += by;
                objective(&net)
            };
            // The mean over the two rows, by the term's weight of 2.
            let slope = (moved(1e-2) - moved(-1e-2)) / 2e-2;
            let step = f64::from((of(&mut net.top)[i] - of(&mut before.clone().top)[i]) / rate);
            assert!((slope - step).abs() < 0.01, "parameter {i}: {step} along a slope of {slope}");
            largest = largest.max(slope.abs());
        }
    }
    assert!(largest > 0.2, "the slopes are too flat to tell");
}

#[test]
fn a_deep_belief_net_reads_and_draws_what_it_was_shown() {
    let rows = bars_and_stripes();
    // What is neither all on nor all off, whose label is clear.
    let kept: Vec<&[f32]> = rows.chunks_exact(11).filter(|row| row[..9].iter().any(|x| *x != row[0])).collect();
    let images: Vec<f32> = kept.iter().flat_map(|row| row[..9].to_vec()).collect::<Vec<_>>().repeat(20);
    let labels: Vec<u32> = kept.iter().map(|row| row[10] as u32).collect::<Vec<_>>().repeat(20);
    let images = Rows::numbers(&images, 9).expect("whole rows");
    let device = device();
    let recipe = Pretrain { epochs: 60, batch: 12, code: Units::Bernoulli, ..Pretrain::default() };
    let below: Stack = recipe.fit(&device, &[9, 20], images).expect("it learns").stack;
    let mut net = Dbn::on(&below, 2, 30, &mut Stream::new(1, 0)).expect("it is made");
    let labelled = Labelled::new(images, &labels, 2).expect("a label for each");
    let training = UpDown { epochs: 400, batch: 12, rate: 0.1, ..UpDown::default() };
    training.fit(&device, &mut net, labelled.rows()).expect("it learns");
    assert_eq!(net.error_rate(&device, images, &labels).expect("it reads"), 0.0);
    let mut good = 0;
    for class in 0..2 {
        // From images of the other class.
        let other: Vec<f32> =
            kept.iter().filter(|row| row[9 + class] == 0.0).flat_map(|row| row[..9].to_vec()).collect();
        let starts = other.repeat(9);
        let starts = Rows::numbers(&starts, 9).expect("whole rows").first(50);
        let drawn = net.generate(&device, class, starts, 200, 3).expect("it draws");
        for image in drawn.chunks_exact(9) {
            let rounded: Vec<f32> = image.iter().map(|x| x.round()).collect();
            good += usize::from(kept.iter().any(|row| row[..9] == rounded && row[9 + class] == 1.0));
        }
    }
    assert!(good > 80, "{good} of 100 drawn images are of their class");

    // One machine is a net too.
    let mut alone = Dbn::alone(9, 2, 30, &mut Stream::new(1, 0)).expect("it is made");
    assert_eq!(alone.features(&device, images).expect("they are the data"), images.to_numbers());
    let hybrid = UpDown { epochs: 200, generative: 0.2, discriminative: 1.0, ..training.clone() };
    let trained = hybrid.fit(&device, &mut alone, labelled.rows()).expect("it learns");
    assert_eq!(alone.error_rate(&device, images, &labels).expect("it reads"), 0.0);
    assert!(trained.epochs[199].error < 0.5 * trained.epochs[0].error);
    assert_eq!(alone.generate(&device, 0, images.first(3), 5, 1).expect("it draws").len(), 27);

    let narrow = Rows::numbers(&[0.0; 9], 9).expect("a row");
    let nothing = UpDown { generative: 0.0, ..training.clone() };
    let negative = UpDown { discriminative: -1.0, ..training.clone() };
    for recipe in [nothing, negative] {
        assert!(recipe.fit(&device, &mut alone, labelled.rows()).is_err());
    }
    assert!(alone.features(&device, Rows::numbers(&[0.0; 8], 8).expect("a row")).is_err());
    assert!(training.fit(&device, &mut net, narrow).is_err());
    assert!(net.generate(&device, 2, narrow, 1, 1).is_err() && net.generate(&device, 0, narrow, 0, 1).is_err());
}
