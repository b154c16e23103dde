//! Checkpoints on disks that fail, and on what a power cut leaves of them.

use std::collections::BTreeMap;
use std::io::{self, Cursor, ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use strait_compute::philox::Stream;
use strait_compute::{Cpu, Device};
use strait_data::Rows;
use strait_models::{Autoencoder, Model, RunState};
use strait_train::{CheckpointOptions, Checkpoints, Disk, FineTune, OnDivergence, Result, Storage, StoredFile};

const WIDTH: usize = 6;

/// A checkpoint after each epoch, and at no other time.
const EACH: CheckpointOptions = CheckpointOptions {
    every: Duration::MAX,
    epochs: Some(1),
    resume: false,
    allow_changes: false,
    on_divergence: OnDivergence::Stop,
};
const RESUME: CheckpointOptions = CheckpointOptions { resume: true, ..EACH };

/// Trains three epochs; gives the net and whether the last checkpoint is on the disk.
fn train(folder: &Path, options: CheckpointOptions, storage: Arc<dyn Storage>) -> Result<(Autoencoder, bool)> {
    let pixels: Vec<u8> = (0..20 * WIDTH).map(|i| (i * i % 251) as u8).collect();
    let rows = Rows::bytes(&pixels, WIDTH).expect("whole rows");
    let device = Device::new(Cpu::with_threads(1).expect("threads start"));
    let recipe = FineTune { epochs: 3, batch: 10, ..FineTune::default() };
    let mut net = Autoencoder::glorot(&[WIDTH, 3], 1).expect("sizes make sense");
    let kept = Checkpoints::open_in(folder, options, storage)?;
    let mut run = recipe.run(&device, &mut net, rows)?.checkpoints(&kept, "net");
    while run.epoch()?.is_some() {
        // The next checkpoint is not left out because this one is still being written.
        std::thread::sleep(Duration::from_millis(1));
    }
    run.stop()?;
    Ok((net, kept.failed().is_none()))
}

fn expected() -> Autoencoder {
    let folder = tempfile::tempdir().expect("a temporary folder");
    train(folder.path(), EACH, Arc::new(Disk)).expect("the disk is well").0
}

/// A disk of which the operation of this number fails, once or from then on.
struct Failing {
    left: AtomicUsize,
    kind: ErrorKind,
    for_ever: bool,
}

impl Failing {
    fn count(&self) -> io::Result<()> {
        let left = self.left.load(Ordering::SeqCst);
        if left == 0 {
            if !self.for_ever {
                self.left.store(usize::MAX, Ordering::SeqCst);
            }
            return Err(io::Error::new(self.kind, "injected"));
        }
        self.left.store(left.saturating_sub(1), Ordering::SeqCst);
        Ok(())
    }
}

/// A file on it; a write that fails has written a part.
struct FailingFile(Box<dyn StoredFile>, Arc<Failing>);

impl Write for FailingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Err(error) = self.1.count() {
            let _ = self.0.write(&bytes[..bytes.len() / 2]);
            // An interrupted call has written nothing.
            return Err(error);
        }
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Seek for FailingFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.1.count()?;
        self.0.seek(to)
    }
}

impl StoredFile for FailingFile {
    fn sync(&mut self) -> io::Result<()> {
        self.1.count()?;
        self.0.sync()
    }
}

struct OnFailing(Arc<Failing>);

impl Storage for OnFailing {
    fn create(&self, path: &Path) -> io::Result<Box<dyn StoredFile>> {
        self.0.count()?;
        Ok(Box::new(FailingFile(Disk.create(path)?, self.0.clone())))
    }
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.0.count()?;
        Disk.read(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.count()?;
        Disk.rename(from, to)
    }
    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.count()?;
        Disk.link(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.count()?;
        Disk.remove(path)
    }
    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        self.0.count()?;
        Disk.list(folder)
    }
    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.0.count()?;
        Disk.sync_folder(folder)
    }
}

#[test]
fn whichever_operation_fails_training_goes_on_and_nothing_is_lost() {
    let expected = expected();
    let mut cases = 0;
    for kind in [ErrorKind::StorageFull, ErrorKind::PermissionDenied, ErrorKind::Other, ErrorKind::TimedOut] {
        for for_ever in [false, true] {
            for n in 0.. {
                let folder = tempfile::tempdir().expect("a temporary folder");
                let failing = Arc::new(Failing { left: AtomicUsize::new(n), kind, for_ever });
                let storage = Arc::new(OnFailing(failing.clone()));
                let what = format!("operation {n}, {kind:?}, for ever: {for_ever}");
                cases += 1;
                match train(folder.path(), EACH, storage) {
                    Ok((net, kept)) => {
                        assert_eq!(net, expected, "{what}");
                        let path = folder.path().join("checkpoints/net.safetensors");
                        if kept {
                            Model::open(&path).unwrap_or_else(|error| panic!("{what}: {error}"));
                        }
                    }
                    Err(error) => assert!(error.to_string().contains("checkpoints"), "{what}: {error}"),
                }
                let left = failing.left.load(Ordering::SeqCst);
                let through = (1..usize::MAX / 2).contains(&left);
                // What is left is whole, or there is nothing.
                let (net, kept) =
                    train(folder.path(), RESUME, Arc::new(Disk)).unwrap_or_else(|error| panic!("{what}: {error}"));
                assert!(net == expected && kept, "{what}");
                // Reading may fail as well.
                let failing = Arc::new(Failing { left: AtomicUsize::new(n), kind, for_ever });
                if let Ok((net, _)) = train(folder.path(), RESUME, Arc::new(OnFailing(failing))) {
                    assert_eq!(net, expected, "{what}, resumed");
                }
                if through {
                    break;
                }
            }
        }
    }
    println!("{cases} failing operations, no checkpoint lost");
}

/// A disk that refuses the files of one run.
struct Refusing;

impl Storage for Refusing {
    fn create(&self, path: &Path) -> io::Result<Box<dyn StoredFile>> {
        if path.to_string_lossy().contains("first") { Err(ErrorKind::StorageFull.into()) } else { Disk.create(path) }
    }
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        Disk.read(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        Disk.rename(from, to)
    }
    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        Disk.link(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        Disk.remove(path)
    }
    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        Disk.list(folder)
    }
    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        Disk.sync_folder(folder)
    }
}

#[test]
fn a_checkpoint_that_is_missing_is_not_forgotten_when_another_run_writes_one() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let kept = Checkpoints::open_in(folder.path(), EACH, Arc::new(Refusing)).expect("the probe is written");
    let pixels: Vec<u8> = (0..20 * WIDTH).map(|i| (i * i % 251) as u8).collect();
    let rows = Rows::bytes(&pixels, WIDTH).expect("whole rows");
    let device = Device::new(Cpu::with_threads(1).expect("threads start"));
    for name in ["first", "second"] {
        let mut net = Autoencoder::glorot(&[WIDTH, 3], 1).expect("sizes make sense");
        let run = FineTune { epochs: 1, ..FineTune::default() }.run(&device, &mut net, rows).expect("it fits");
        run.checkpoints(&kept, name).train().expect("training goes on");
        let failed = kept.failed().expect("that of the first is missing");
        assert!(failed.contains("first.safetensors"), "{failed}");
    }
}

/// A file as a disk has it: what is safe, and what was written since.
#[derive(Clone, Default)]
struct Inode {
    safe: Vec<u8>,
    pending: Vec<(usize, Vec<u8>)>,
}

impl Inode {
    /// The contents with the pending writes, of which the last may be there in part.
    fn with(&self, pending: &[(usize, Vec<u8>)]) -> Vec<u8> {
        let mut contents = self.safe.clone();
        for (offset, bytes) in pending {
            contents.resize(contents.len().max(offset + bytes.len()), 0);
            contents[*offset..][..bytes.len()].copy_from_slice(bytes);
        }
        contents
    }
}

/// The files of a disk.
type Image = BTreeMap<PathBuf, Vec<u8>>;

/// What is left of a file.
type Left<'f> = &'f dyn Fn(&Inode) -> Vec<u8>;

/// A disk in memory that knows what a power cut would leave.
#[derive(Clone, Default)]
struct Memory {
    inodes: Vec<Inode>,
    /// The names as they are, and those that are safe.
    names: BTreeMap<PathBuf, usize>,
    safe: BTreeMap<PathBuf, usize>,
    /// The disk after each operation.
    history: Vec<(String, Vec<Image>)>,
}

impl Memory {
    /// Takes note of what may be left after this operation.
    fn after(&mut self, what: String) {
        let image = |names: &BTreeMap<PathBuf, usize>, contents: &dyn Fn(&Inode) -> Vec<u8>| {
            names.iter().map(|(name, inode)| (name.clone(), contents(&self.inodes[*inode]))).collect()
        };
        let dropped = |inode: &Inode| inode.safe.clone();
        let half = |inode: &Inode| {
            let kept = &inode.pending[..inode.pending.len() / 2];
            inode.with(kept)
        };
        let late = |inode: &Inode| {
            // The later writes, but not the first.
            inode.with(inode.pending.get(1..).unwrap_or_default())
        };
        let torn = |inode: &Inode| {
            let mut pending = inode.pending.clone();
            if let Some((_, bytes)) = pending.last_mut() {
                let half = bytes.len() / 2;
                bytes.truncate(half);
            }
            inode.with(&pending)
        };
        let all = |inode: &Inode| inode.with(&inode.pending);
        let contents: [Left<'_>; 5] = [&dropped, &half, &late, &torn, &all];
        let images =
            [&self.safe, &self.names].into_iter().flat_map(|names| contents.map(|contents| image(names, contents)));
        let images = images.collect();
        self.history.push((what, images));
    }
}

#[derive(Clone)]
struct OnMemory(Arc<Mutex<Memory>>);

impl OnMemory {
    fn change<T>(&self, what: String, change: impl FnOnce(&mut Memory) -> io::Result<T>) -> io::Result<T> {
        let mut memory = self.0.lock().expect("no test has panicked with it");
        let done = change(&mut memory)?;
        memory.after(what);
        Ok(done)
    }
}

fn missing() -> io::Error {
    ErrorKind::NotFound.into()
}

struct MemoryFile {
    disk: OnMemory,
    inode: usize,
    at: Cursor<()>,
}

impl Write for MemoryFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (inode, at) = (self.inode, self.at.position() as usize);
        self.disk.change("write".to_owned(), |memory| {
            memory.inodes[inode].pending.push((at, bytes.to_vec()));
            Ok(())
        })?;
        self.at.set_position((at + bytes.len()) as u64);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for MemoryFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let SeekFrom::Start(at) = to else { return Err(ErrorKind::Unsupported.into()) };
        self.at.set_position(at);
        Ok(at)
    }
}

impl StoredFile for MemoryFile {
    fn sync(&mut self) -> io::Result<()> {
        let inode = self.inode;
        self.disk.change("sync".to_owned(), |memory| {
            let file = &mut memory.inodes[inode];
            file.safe = file.with(&file.pending);
            file.pending.clear();
            Ok(())
        })
    }
}

impl Storage for OnMemory {
    fn create(&self, path: &Path) -> io::Result<Box<dyn StoredFile>> {
        let inode = self.change(format!("create {}", path.display()), |memory| {
            if memory.names.contains_key(path) {
                return Err(ErrorKind::AlreadyExists.into());
            }
            memory.inodes.push(Inode::default());
            memory.names.insert(path.to_owned(), memory.inodes.len() - 1);
            Ok(memory.inodes.len() - 1)
        })?;
        Ok(Box::new(MemoryFile { disk: self.clone(), inode, at: Cursor::new(()) }))
    }
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let memory = self.0.lock().expect("no test has panicked with it");
        let inode = memory.names.get(path).ok_or_else(missing)?;
        Ok(memory.inodes[*inode].with(&memory.inodes[*inode].pending))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change(format!("rename {} to {}", from.display(), to.display()), |memory| {
            let inode = memory.names.remove(from).ok_or_else(missing)?;
            memory.names.insert(to.to_owned(), inode);
            Ok(())
        })
    }
    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change(format!("link {} to {}", from.display(), to.display()), |memory| {
            let inode = *memory.names.get(from).ok_or_else(missing)?;
            memory.names.insert(to.to_owned(), inode);
            Ok(())
        })
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.change(format!("remove {}", path.display()), |memory| {
            memory.names.remove(path).map(|_| ()).ok_or_else(missing)
        })
    }
    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let memory = self.0.lock().expect("no test has panicked with it");
        Ok(memory.names.keys().filter(|path| path.parent() == Some(folder)).cloned().collect())
    }
    fn sync_folder(&self, _: &Path) -> io::Result<()> {
        self.change("sync the folder".to_owned(), |memory| {
            memory.safe = memory.names.clone();
            Ok(())
        })
    }
}

#[test]
fn whatever_a_power_cut_leaves_holds_the_checkpoint_before_or_the_new_one() {
    let expected = expected();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let disk = OnMemory(Arc::new(Mutex::new(Memory::default())));
    let (net, kept) = train(folder.path(), EACH, Arc::new(disk.clone())).expect("the disk is well");
    assert!(net == expected && kept);
    let history = std::mem::take(&mut disk.0.lock().expect("no test has panicked with it").history);
    let mut seen = std::collections::HashSet::new();
    let (mut images, mut once_kept) = (0, false);
    for (moment, (what, left)) in history.iter().enumerate() {
        let mut whole = true;
        for image in left {
            images += 1;
            let names = ["net", "net.previous", "net.best"].map(|name| format!("{name}.safetensors"));
            let read = |name: &String| image.iter().find(|(path, _)| path.ends_with(name)).map(|(_, bytes)| bytes);
            let valid = names.iter().filter_map(read).any(|bytes| RunState::read(bytes).is_ok());
            whole &= valid;
            assert!(valid || !once_kept, "after operation {moment}, {what}: no checkpoint is left");
            let found: Vec<Option<&Vec<u8>>> = names.iter().map(read).collect();
            if !seen.insert(found.iter().map(|bytes| bytes.cloned()).collect::<Vec<_>>()) {
                continue;
            }
            let after = tempfile::tempdir().expect("a temporary folder");
            let inside = after.path().join("checkpoints");
            std::fs::create_dir_all(&inside).expect("the folder is writable");
            for (path, bytes) in image {
                let name = path.file_name().expect("files have names");
                std::fs::write(inside.join(name), bytes).expect("the folder is writable");
            }
            let resumed = train(after.path(), RESUME, Arc::new(Disk));
            let (net, kept) = resumed.unwrap_or_else(|error| panic!("after operation {moment}, {what}: {error}"));
            assert!(net == expected && kept, "after operation {moment}, {what}");
        }
        // From the first moment on at which every image holds one, every image does.
        once_kept |= whole;
    }
    assert!(once_kept);
    println!("{} operations, {images} images of the disk, {} different ones resumed", history.len(), seen.len());
}

#[test]
fn every_flip_and_every_cut_of_a_checkpoint_is_found() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let expected = train(folder.path(), EACH, Arc::new(Disk)).expect("the disk is well").0;
    let path = folder.path().join("checkpoints/net.safetensors");
    let good = std::fs::read(&path).expect("it is there");
    let state = RunState::read(&good).expect("it is whole");
    let mut stream = Stream::new(7, 0);
    let (mut found, mut harmless) = (0, 0);
    for _ in 0..1000 {
        let mut bytes = good.clone();
        let at = stream.next_word() as usize % bytes.len();
        bytes[at] ^= 1 << (stream.next_word() % 8);
        match RunState::read(&bytes) {
            Err(_) => found += 1,
            Ok(read) => {
                assert_eq!(read, state, "a flip at {at} is not found");
                harmless += 1;
            }
        }
    }
    println!("1000 flips: {found} found, {harmless} harmless");
    let damaged = folder.path().join("damaged.safetensors");
    for length in (0..good.len()).step_by(512) {
        assert!(RunState::read(&good[..length]).is_err(), "cut to {length} bytes");
        let mut bytes = good.clone();
        bytes[length..(length + 512).min(good.len())].fill(0);
        assert!(RunState::read(&bytes).is_err() || bytes == good, "zeros from {length} on");
        std::fs::write(&damaged, &bytes).expect("the folder is writable");
        if bytes != good {
            Model::open(&damaged).map(|_| ()).expect_err("it is damaged");
        }
    }
    // A run goes on from the checkpoint before, and leaves the damaged one alone until its own takes the place.
    let mut bytes = good.clone();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 16;
    std::fs::write(&path, &bytes).expect("the folder is writable");
    let (net, _) = train(folder.path(), RESUME, Arc::new(Disk)).expect("the one before is whole");
    assert_eq!(net, expected);
    let read = |name: &str| std::fs::read(folder.path().join("checkpoints").join(name)).expect("it is there");
    assert!(read("net.damaged.safetensors") == bytes, "the damaged one is kept, but not as the one before");
    for name in ["net.previous.safetensors", "net.safetensors"] {
        RunState::read(&read(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}
