//! A plant that is made up: four sensors that follow a load, and five kinds of faults. The same for the same seed on every machine.

use crate::compute::philox::Stream;

/// Sensors: the load, the flow, the pressure and the temperature.
pub const SENSORS: usize = 4;

/// What goes wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The flow's sensor gives the same value again and again.
    Stuck,
    /// The temperature's sensor drifts away.
    Drift,
    /// The pressure no longer follows the flow.
    Leak,
    /// The flow swings, as that of a pump that draws air.
    Swing,
    /// The load's sensor jumps for single steps.
    Spikes,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Stuck, Self::Drift, Self::Leak, Self::Swing, Self::Spikes];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stuck => "stuck sensor",
            Self::Drift => "drift",
            Self::Leak => "leak",
            Self::Swing => "swing",
            Self::Spikes => "spikes",
        }
    }
}

/// So many steps of the plant, [`SENSORS`] numbers each, with a fault from a step on where there is one.
///
/// ```
/// use strait::plant::{Fault, SENSORS, series};
/// let [normal, faulty] = [None, Some((Fault::Leak, 60))].map(|fault| series(100, 1, fault));
/// assert_eq!(normal.len(), 100 * SENSORS);
/// assert_eq!(normal[..60 * SENSORS], faulty[..60 * SENSORS]);
/// assert_ne!(normal, faulty);
/// ```
pub fn series(steps: usize, seed: u64, fault: Option<(Fault, usize)>) -> Vec<f32> {
    /// Steps of a day.
    const DAY: f32 = 96.0;
    let mut stream = Stream::new(seed, 0);
    let phase = stream.next_normal();
    let (mut weather, mut warmth, mut stuck) = (0.0f32, 0.0f32, None);
    let mut numbers = Vec::with_capacity(steps * SENSORS);
    for t in 0..steps {
        let noise: [f32; SENSORS] = std::array::from_fn(|_| stream.next_normal());
        weather = 0.98 * weather + 0.1 * stream.next_normal();
        let load = (std::f32::consts::TAU * (t as f32 / DAY + phase)).sin() + weather;
        let wrong = fault.filter(|(_, from)| t >= *from).map(|(fault, from)| (fault, (t - from) as f32));
        let mut flow = load.tanh();
        if let Some((Fault::Swing, since)) = wrong {
            flow += 0.4 * (1.3 * since).sin();
        }
        // The pressure follows the flow, the temperature both, slowly.
        let mut pressure = 0.8 * flow + 0.3 * flow * flow;
        if let Some((Fault::Leak, _)) = wrong {
            pressure -= 0.4 * (1.0 + flow);
        }
        warmth = 0.9 * warmth + 0.1 * (load + 0.5 * pressure);
        let mut row = [load, flow, pressure, warmth];
        row.iter_mut().zip(noise).for_each(|(x, noise)| *x += 0.05 * noise);
        match wrong {
            Some((Fault::Stuck, _)) => row[1] = *stuck.get_or_insert(row[1]),
            Some((Fault::Drift, since)) => row[3] += 0.02 * since,
            Some((Fault::Spikes, since)) if (since as usize).is_multiple_of(7) => row[0] += 1.5,
            _ => {}
        }
        numbers.extend(row);
    }
    numbers
}
