//! Buffers, and the way to and from them.

use std::time::Duration;

use wgpu::{BufferDescriptor, BufferSize, BufferUsages, MapMode, PollType, WriteOnly};

use crate::{Error, Gpu, Result};

/// Memory on the device: one piece, or as many as it takes where a tensor is larger than a kernel can bind. All but the
/// last hold [`Gpu::piece_words`] words.
#[derive(Clone, Debug)]
pub struct Buffer {
    pieces: Vec<wgpu::Buffer>,
    /// Bytes of a piece; the last one may have fewer.
    piece_bytes: u64,
    label: String,
}

/// A part of a buffer that a kernel can bind.
#[derive(Clone, Copy)]
pub struct Piece<'a>(pub(crate) &'a wgpu::Buffer);

/// How long another thread may keep an answer that it has taken up; it hands them over at once, where the system lets it run.
const ANSWER: Duration = Duration::from_secs(30);

/// Bytes that are read back with one wait, which take as much memory again for a moment.
const TOGETHER: usize = 64 << 20;

/// The first bytes of a piece, and where they go.
pub(crate) struct ReadBack<'a> {
    pub(crate) raw: &'a wgpu::Buffer,
    pub(crate) label: &'a str,
    pub(crate) bytes: &'a mut [u8],
}

impl Buffer {
    /// Its pieces, in order.
    pub fn pieces(&self) -> impl ExactSizeIterator<Item = Piece<'_>> {
        self.pieces.iter().map(Piece)
    }
}

impl Gpu {
    /// A zeroed buffer for a tensor, its length rounded up to whole words.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::OutOfMemory`] or [`Error::Lost`].
    pub fn buffer(&self, label: &str, bytes: u64) -> Result<Buffer> {
        // Kernels number the words of a tensor in 32 bits.
        const MOST_BYTES: u64 = 4 * (u32::MAX as u64);
        if bytes > MOST_BYTES {
            let adapter = self.name().to_owned();
            return Err(Error::TooLarge { label: label.to_owned(), bytes, limit: MOST_BYTES, adapter });
        }
        let usage = BufferUsages::STORAGE | BufferUsages::COPY_SRC | BufferUsages::COPY_DST;
        let piece_bytes = self.piece_bytes(bytes);
        let sizes = (0..self.pieces(bytes) as u64).map(|piece| (bytes - piece * piece_bytes).min(piece_bytes));
        let pieces = sizes.map(|size| self.allocate(label, size, usage)).collect::<Result<_>>()?;
        Ok(Buffer { pieces, piece_bytes, label: label.to_owned() })
    }

    /// In how many pieces a buffer of that many bytes lies.
    pub fn pieces(&self, bytes: u64) -> usize {
        bytes.div_ceil(self.piece_bytes(bytes)).max(1) as usize
    }

    fn piece_bytes(&self, bytes: u64) -> u64 {
        let limit = self.largest_tensor();
        if bytes <= limit { limit } else { 4 * u64::from(self.piece_words()) }
    }

    pub(crate) fn allocate(&self, label: &str, bytes: u64, usage: BufferUsages) -> Result<wgpu::Buffer> {
        self.check()?;
        let size = bytes.div_ceil(4).max(1) * 4;
        let descriptor = BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: false };
        let (raw, error) = self.scoped(|device| device.create_buffer(&descriptor));
        self.check()?;
        let full = || Error::OutOfMemory { label: label.to_owned(), bytes, adapter: self.name().to_owned() };
        match error {
            None if self.allocation_fails() => Err(full()),
            None => Ok(raw),
            Some(wgpu::Error::OutOfMemory { .. }) => Err(full()),
            Some(error) => Err(self.refused(&format!("the buffer of `{label}`"), error.to_string())),
        }
    }

    /// Writes to the start of a buffer; a rest of fewer than four bytes is filled up with zeros.
    ///
    /// # Errors
    /// [`Error::Lost`], or [`Error::Refused`] if the bytes do not fit.
    pub fn write(&self, buffer: &Buffer, bytes: &[u8]) -> Result<()> {
        self.write_parts(buffer, bytes.len(), &mut std::iter::once(bytes))
    }

    /// Writes parts of `bytes` bytes in all, one behind the other, to the start of a buffer: each is copied once, to where the
    /// device fetches it.
    ///
    /// # Errors
    /// [`Error::Lost`], or [`Error::Refused`] if the bytes do not fit, or the parts are fewer or more, of which so many are written
    /// all the same.
    pub fn write_parts(&self, buffer: &Buffer, bytes: usize, mut parts: &mut dyn Iterator<Item = &[u8]>) -> Result<()> {
        let refused = |message: String| Err(self.refused(&format!("writing to `{}`", buffer.label), message));
        let whole = buffer.piece_bytes as usize;
        if bytes.div_ceil(whole) > buffer.pieces.len() {
            return refused(format!("{bytes} bytes are more than it holds"));
        }
        let (mut part, mut missing): (&[u8], _) = (&[], 0);
        for (piece, start) in buffer.pieces.iter().zip((0..bytes).step_by(whole)) {
            self.write_piece(piece, &buffer.label, (bytes - start).min(whole), |mut room| {
                while !room.is_empty() {
                    if part.is_empty() {
                        let Some(next) = parts.next() else { break };
                        part = next;
                    }
                    let (copied, rest) = part.split_at(part.len().min(room.len()));
                    let (mut place, left) = room.split_at(copied.len());
                    place.copy_from_slice(copied);
                    (part, room) = (rest, left);
                }
                missing += room.len();
                room.fill(0);
            })?;
        }
        if missing > 0 {
            return refused(format!("the parts are {missing} bytes short of {bytes}"));
        }
        if !part.is_empty() || Iterator::any(&mut parts, |part| !part.is_empty()) {
            return refused(format!("the parts are more than {bytes} bytes"));
        }
        Ok(())
    }

    /// Lets `fill` write the first bytes of a piece; what is missing to a whole word is filled up with zeros.
    pub(crate) fn write_piece(
        &self,
        raw: &wgpu::Buffer,
        label: &str,
        bytes: usize,
        fill: impl FnOnce(WriteOnly<'_, [u8]>),
    ) -> Result<()> {
        self.check()?;
        let Some(size) = BufferSize::new(bytes.next_multiple_of(4) as u64) else {
            return Ok(());
        };
        let ((), error) = self.scoped(|_| {
            if let Some(mut view) = self.shared.queue.write_buffer_with(raw, 0, size) {
                view.slice(bytes..).fill(0);
                fill(view.slice(..bytes));
            }
        });
        self.check()?;
        error.map_or(Ok(()), |error| Err(self.refused(&format!("writing to `{label}`"), error.to_string())))
    }

    /// Reads the first values of a buffer, after all that was submitted before.
    ///
    /// # Errors
    /// [`Error::Lost`], [`Error::OutOfMemory`], or [`Error::Refused`], also if it does not hold so many.
    pub fn read<T: bytemuck::Pod>(&self, buffer: &Buffer, count: usize) -> Result<Vec<T>> {
        Ok(self.read_many(&[(buffer, count)])?.swap_remove(0))
    }

    /// Reads the first values of several buffers, after all that was submitted before: with one wait for as many of them
    /// as 64 MB hold.
    ///
    /// # Errors
    /// As [`Gpu::read`].
    pub fn read_many<T: bytemuck::Pod>(&self, wanted: &[(&Buffer, usize)]) -> Result<Vec<Vec<T>>> {
        for (buffer, count) in wanted {
            let held: u64 = buffer.pieces.iter().map(wgpu::Buffer::size).sum();
            if *count as u64 * size_of::<T>() as u64 > held {
                let message = format!("{count} values are more than its {held} bytes");
                return Err(self.refused(&format!("reading `{}`", buffer.label), message));
            }
        }
        let mut all: Vec<Vec<T>> = wanted.iter().map(|(_, count)| vec![T::zeroed(); *count]).collect();
        let mut pieces = Vec::new();
        for ((buffer, _), values) in wanted.iter().zip(&mut all) {
            let parts = bytemuck::cast_slice_mut::<T, u8>(values).chunks_mut(buffer.piece_bytes as usize);
            pieces.extend(buffer.pieces.iter().zip(parts).map(|(raw, bytes)| ReadBack {
                raw,
                label: &buffer.label,
                bytes,
            }));
        }
        let most = TOGETHER.min(usize::try_from(self.largest_tensor()).unwrap_or(usize::MAX));
        let mut first = 0;
        while first < pieces.len() {
            let (mut end, mut size) = (first, 0);
            while end < pieces.len() && (end == first || size + pieces[end].bytes.len().next_multiple_of(4) <= most) {
                size += pieces[end].bytes.len().next_multiple_of(4);
                end += 1;
            }
            self.read_together(&mut pieces[first..end])?;
            first = end;
        }
        Ok(all)
    }

    /// Reads the first bytes of pieces.
    pub(crate) fn read_together(&self, pieces: &mut [ReadBack<'_>]) -> Result<()> {
        let Some(label) = pieces.first().map(|piece| piece.label) else {
            return Ok(());
        };
        let sizes: Vec<u64> = pieces.iter().map(|piece| piece.bytes.len().next_multiple_of(4) as u64).collect();
        let size = sizes.iter().sum();
        let usage = BufferUsages::MAP_READ | BufferUsages::COPY_DST;
        let staging = self.allocate(&format!("read-back of {label}"), size, usage)?;
        let (sender, receiver) = std::sync::mpsc::channel();
        let ((), error) = self.scoped(|device| {
            let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            let mut start = 0;
            for (piece, size) in pieces.iter().zip(&sizes) {
                encoder.copy_buffer_to_buffer(piece.raw, 0, &staging, start, *size);
                start += size;
            }
            self.shared.queue.submit([encoder.finish()]);
            staging.slice(..).map_async(MapMode::Read, move |result| {
                // The receiver lives until the poll below has returned.
                let _ = sender.send(result);
            });
        });
        self.check()?;
        if let Some(error) = error {
            return Err(self.refused(&format!("reading `{label}`"), error.to_string()));
        }
        let polled = self.shared.device.poll(PollType::wait_indefinitely());
        self.check()?;
        // A lost device answers the poll as if all were well; only the map tells. Where another thread polls at the same time, it may be the
        // one that has taken up the answer, and be about to hand it over.
        match (polled, receiver.recv_timeout(ANSWER)) {
            (Ok(_), Ok(Ok(()))) => {}
            (Err(error), _) => return Err(self.lost(&error.to_string())),
            (_, Ok(Err(error))) => return Err(self.lost(&error.to_string())),
            (_, Err(_)) => return Err(self.lost("a read-back was never answered")),
        }
        let mapped = staging.slice(..).get_mapped_range().map_err(|error| self.lost(&error.to_string()))?;
        let mut start = 0;
        for (piece, size) in pieces.iter_mut().zip(&sizes) {
            piece.bytes.copy_from_slice(&mapped[start..][..piece.bytes.len()]);
            start += *size as usize;
        }
        Ok(())
    }
}
