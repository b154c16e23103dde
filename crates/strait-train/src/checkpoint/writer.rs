//! The thread that writes checkpoints beside training.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use strait_compute::Tensor;
use strait_models::{Model, Result};

use super::stage::{About, StageFiles, Tensors};

/// Makes the model of a checkpoint from wherever the tensors of a run are found.
pub(crate) type Modeller = Box<dyn FnMut(&mut dyn FnMut(Tensor) -> Result<Vec<f32>>) -> Result<Model> + Send>;

/// A checkpoint that is to be written.
pub(crate) struct Job {
    pub(crate) about: About,
    /// The tensors of the part under way, with their names in the file.
    pub(crate) names: Vec<(Tensor, String)>,
    /// Their values.
    pub(crate) values: Vec<Vec<f32>>,
    /// Further tensors.
    pub(crate) others: Vec<(String, Vec<f32>)>,
    pub(crate) best: bool,
}

enum Message {
    /// Another part of the run begins.
    Part(Option<Modeller>),
    Write(Box<Job>),
}

/// What became of a job.
pub(crate) struct Done {
    pub(crate) result: Result<()>,
    /// The values' memory, to be used again.
    values: Vec<Vec<f32>>,
}

/// The thread, and what has been sent to it.
pub(crate) struct Writer {
    jobs: Option<Sender<Message>>,
    done: Receiver<Done>,
    thread: Option<JoinHandle<()>>,
    busy: bool,
    /// The memory of the job before.
    spare: Vec<Vec<f32>>,
}

impl Writer {
    pub(crate) fn start(files: StageFiles) -> Self {
        let (jobs, messages) = channel();
        let (report, done) = channel();
        let work = move || {
            let mut modeller: Option<Modeller> = None;
            for message in messages {
                match message {
                    Message::Part(next) => modeller = next,
                    Message::Write(job) => {
                        let result = write(&files, modeller.as_mut(), &job);
                        // Nobody waits for it where the run has ended by an error.
                        let _ = report.send(Done { result, values: job.values });
                    }
                }
            }
        };
        let thread = std::thread::Builder::new().name("checkpoints".to_owned()).spawn(work).ok();
        Self { jobs: Some(jobs), done, thread, busy: false, spare: Vec::new() }
    }

    pub(crate) fn part(&self, modeller: Option<Modeller>) {
        self.send(Message::Part(modeller));
    }

    /// Memory for the values of the next job.
    pub(crate) fn memory(&mut self) -> Vec<Vec<f32>> {
        std::mem::take(&mut self.spare)
    }

    pub(crate) fn is_busy(&self) -> bool {
        self.busy
    }

    /// Hands over a job; the one before must be done.
    pub(crate) fn write(&mut self, job: Job) {
        self.busy = true;
        self.send(Message::Write(Box::new(job)));
    }

    fn send(&self, message: Message) {
        if let Some(jobs) = &self.jobs {
            // A thread that is gone is found when its answer is waited for.
            let _ = jobs.send(message);
        }
    }

    /// What became of the job under way, if it is done within this time.
    pub(crate) fn done(&mut self, wait: Option<Duration>) -> Option<Done> {
        if !self.busy {
            return None;
        }
        let gone = || Done {
            result: Err(std::io::Error::other("the thread that writes checkpoints has ended").into()),
            values: Vec::new(),
        };
        let mut done = match wait {
            None => self.done.recv().unwrap_or_else(|_| gone()),
            Some(wait) => match self.done.recv_timeout(wait) {
                Ok(done) => done,
                Err(std::sync::mpsc::RecvTimeoutError::Timeout) => return None,
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => gone(),
            },
        };
        self.busy = false;
        self.spare = std::mem::take(&mut done.values);
        Some(done)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // What was handed over is written to its end.
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn write(files: &StageFiles, modeller: Option<&mut Modeller>, job: &Job) -> Result<()> {
    let model = modeller.map(|make| {
        let places: HashMap<Tensor, usize> =
            job.names.iter().enumerate().map(|(place, (tensor, _))| (*tensor, place)).collect();
        make(&mut |tensor| match places.get(&tensor) {
            Some(&place) => Ok(job.values[place].clone()),
            None => Err(strait_models::Error::Shape("a parameter of the model is not kept".to_owned())),
        })
    });
    let model = model.transpose()?.map(|model| files.prepared(model)).transpose()?;
    let own = job.names.iter().zip(&job.values).map(|((_, name), values)| (name.as_str(), values));
    let all: Vec<(&str, &Vec<f32>)> =
        own.chain(job.others.iter().map(|(name, values)| (name.as_str(), values))).collect();
    let lengths: Vec<(&str, usize)> = all.iter().map(|(name, values)| (*name, values.len())).collect();
    let fetch = &mut |number: usize| Ok(Cow::Borrowed(all[number].1.as_slice()));
    files.write(&job.about, model.as_ref(), Tensors { lengths: &lengths, fetch }, job.best)
}
