//! Buffers, and the way to and from them.

use wgpu::{BufferDescriptor, BufferUsages, MapMode, PollType};

use crate::{Error, Gpu, Result};

/// Memory on the device.
#[derive(Clone, Debug)]
pub struct Buffer {
    pub(crate) raw: wgpu::Buffer,
    label: String,
}

impl Gpu {
    /// A zeroed buffer for a tensor, its length rounded up to whole words.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::OutOfMemory`] or [`Error::Lost`].
    pub fn buffer(&self, label: &str, bytes: u64) -> Result<Buffer> {
        self.allocate(
            label,
            bytes,
            BufferUsages::STORAGE | BufferUsages::COPY_SRC | BufferUsages::COPY_DST,
            self.largest_tensor(),
        )
    }

    pub(crate) fn allocate(&self, label: &str, bytes: u64, usage: BufferUsages, limit: u64) -> Result<Buffer> {
        self.check()?;
        let size = bytes.div_ceil(4).max(1) * 4;
        let adapter = self.name().to_owned();
        if size > limit {
            return Err(Error::TooLarge { label: label.to_owned(), bytes, limit, adapter });
        }
        let descriptor = BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: false };
        let (raw, error) = self.scoped(|device| device.create_buffer(&descriptor));
        self.check()?;
        match error {
            None => Ok(Buffer { raw, label: label.to_owned() }),
            Some(wgpu::Error::OutOfMemory { .. }) => {
                Err(Error::OutOfMemory { label: label.to_owned(), bytes, adapter })
            }
            Some(error) => Err(self.refused(&format!("the buffer of `{label}`"), error.to_string())),
        }
    }

    /// Writes to the start of a buffer; a rest of fewer than four bytes is filled up with zeros.
    ///
    /// # Errors
    /// [`Error::Lost`], or [`Error::Refused`] if the bytes do not fit.
    pub fn write(&self, buffer: &Buffer, bytes: &[u8]) -> Result<()> {
        self.check()?;
        let whole = bytes.len() / 4 * 4;
        let ((), error) = self.scoped(|_| {
            let queue = &self.shared.queue;
            queue.write_buffer(&buffer.raw, 0, &bytes[..whole]);
            if whole < bytes.len() {
                let mut rest = [0; 4];
                rest[..bytes.len() - whole].copy_from_slice(&bytes[whole..]);
                queue.write_buffer(&buffer.raw, whole as u64, &rest);
            }
        });
        self.check()?;
        error.map_or(Ok(()), |error| Err(self.refused(&format!("writing to `{}`", buffer.label), error.to_string())))
    }

    /// Reads the first `bytes` of a buffer, after all that was submitted before.
    ///
    /// # Errors
    /// [`Error::Lost`], [`Error::OutOfMemory`] or [`Error::Refused`].
    pub fn read(&self, buffer: &Buffer, bytes: u64) -> Result<Vec<u8>> {
        let size = bytes.div_ceil(4) * 4;
        let label = format!("read-back of {}", buffer.label);
        let usage = BufferUsages::MAP_READ | BufferUsages::COPY_DST;
        let staging = self.allocate(&label, size, usage, self.shared.limits.max_buffer_size)?;
        let (sender, receiver) = std::sync::mpsc::channel();
        let ((), error) = self.scoped(|device| {
            let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            encoder.copy_buffer_to_buffer(&buffer.raw, 0, &staging.raw, 0, size);
            self.shared.queue.submit([encoder.finish()]);
            staging.raw.slice(..).map_async(MapMode::Read, move |result| {
                // The receiver lives until the poll below has returned.
                let _ = sender.send(result);
            });
        });
        self.check()?;
        if let Some(error) = error {
            return Err(self.refused(&format!("reading `{}`", buffer.label), error.to_string()));
        }
        let polled = self.shared.device.poll(PollType::wait_indefinitely());
        self.check()?;
        // A lost device answers the poll as if all were well; only the map tells.
        match (polled, receiver.try_recv()) {
            (Ok(_), Ok(Ok(()))) => {}
            (Err(error), _) => return Err(self.lost(&error.to_string())),
            (_, Ok(Err(error))) => return Err(self.lost(&error.to_string())),
            (_, Err(_)) => return Err(self.lost("a read-back was never answered")),
        }
        let mapped = staging.raw.slice(..).get_mapped_range().map_err(|error| self.lost(&error.to_string()))?;
        let mut values = mapped.to_vec();
        values.truncate(bytes as usize);
        Ok(values)
    }
}
