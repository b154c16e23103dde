//! Codes of few numbers, as lists of these.

use strait_compute::{Activation, Device, Kind, Op, Program, Routine, Step, Tensor, go_on};
use strait_data::Rows;

use crate::network::{declare_rows, evaluation_batch, minibatches, parts, upload};
use crate::{Autoencoder, Error, Network, Result, Tape};

/// Codes whose largest numbers stay: for each row k numbers with the units that they belong to, ascending. A number that is 0 stands for
/// none.
#[derive(Clone, Debug, PartialEq)]
pub struct SparseCodes {
    /// Numbers of a row.
    pub k: usize,
    /// Units of a code.
    pub units: usize,
    /// The numbers, row after row.
    pub values: Vec<f32>,
    /// The unit of each.
    pub columns: Vec<u32>,
}

impl SparseCodes {
    /// The rows: the units that are not 0, and their numbers.
    pub fn rows(&self) -> impl Iterator<Item = impl Iterator<Item = (usize, f32)>> {
        let rows = self.values.chunks_exact(self.k).zip(self.columns.chunks_exact(self.k));
        rows.map(|(values, columns)| {
            let entries = columns.iter().zip(values).filter(|(_, value)| **value != 0.0);
            entries.map(|(&column, &value)| (column as usize, value))
        })
    }

    /// For each unit how many of the rows it is a part of.
    pub fn uses(&self) -> Vec<usize> {
        let mut uses = vec![0; self.units];
        self.rows().flatten().for_each(|(unit, _)| uses[unit] += 1);
        uses
    }
}

impl Autoencoder {
    /// The codes of these rows as lists of the numbers that stay. Rows of all units, as [`Autoencoder::encode`] gives them, are never made where
    /// rectified units give the code.
    ///
    /// ```
    /// use strait_compute::{Activation, Device};
    /// let mut net = strait_models::Autoencoder::glorot(&[3, 64, 3], 1)?;
    /// net.encoder = 1;
    /// net.layers[0].activation = Activation::Relu;
    /// net.top_k = Some(2);
    /// let device = Device::cpu()?;
    /// let rows = strait_data::Rows::numbers(&[0.5, 1.0, -0.2], 3)?;
    /// let (listed, dense) = (net.encode_largest(&device, rows)?, net.encode(&device, rows)?);
    /// for (unit, value) in listed.rows().flatten() {
    ///     assert_eq!(dense[unit], value);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If all numbers of a code stay, the rows do not fit, or the device fails.
    pub fn encode_largest(&self, device: &Device, rows: Rows<'_>) -> Result<SparseCodes> {
        self.check()?;
        let Some(k) = self.top_k else {
            let message = "a net whose codes keep all numbers has no lists of the largest: choose how many stay";
            return Err(Error::Shape(message.to_owned()));
        };
        let mut codes = SparseCodes { k, units: self.code_size(), values: Vec::new(), columns: Vec::new() };
        let code = &self.layers[self.encoder - 1];
        if code.activation != Activation::Relu || code.convolution.is_some() {
            codes.list(&self.encode(device, rows)?);
            return Ok(codes);
        }
        for rows in parts(device, rows, 2 * k) {
            self.list_part(device, rows, &mut codes)?;
        }
        Ok(codes)
    }

    /// Adds the codes of rows that a device can hold.
    fn list_part(&self, device: &Device, rows: Rows<'_>, codes: &mut SparseCodes) -> Result<()> {
        let layers = &self.layers[..self.encoder];
        if rows.width != layers[0].inputs {
            return Err(Error::Width { expected: layers[0].inputs, found: rows.width });
        }
        let batch = evaluation_batch(device, layers, rows.count);
        let mut program = Program::default();
        let data = declare_rows(&mut program, "data", &rows);
        let input = program.value("x", batch, rows.width);
        let network = Network::declare(&mut program, "layers", layers);
        let mut routine = Routine::new("codes").with_independent_rows();
        routine.push(Op::Gather { data, index: None, first: 0, shift: None, out: input })?;
        let mut tape = Tape::measuring(&mut program, &mut routine, batch);
        let x = tape.data(input);
        let code = tape.chain(x, &network.layers)?;
        let listed = tape.list_largest(code, codes.k)?;
        let mut result = |input: Tensor, name: &str| -> Result<Tensor> {
            let data = program.data(name, rows.count, codes.k, Kind::Rows);
            routine.push(Op::Scatter { input, data })?;
            Ok(data)
        };
        let [values, columns] = [result(listed.values, "values")?, result(listed.columns, "columns")?];
        let routine = program.add(routine);
        let mut execution = device.load(program)?;
        network.write(&mut *execution, layers)?;
        upload(&mut *execution, data, &rows)?;
        let step = |(offset, rows)| Step { offset, rows, ..Step::default() };
        let steps: Vec<Step> = minibatches(rows.count, batch).map(step).collect();
        execution.run(routine, &steps, &mut go_on)?;
        codes.values.extend(execution.read(values)?);
        codes.columns.extend(execution.read(columns)?.iter().map(|&column| column as u32));
        Ok(())
    }
}

impl SparseCodes {
    /// Adds what is not 0 of codes that are rows of all units.
    fn list(&mut self, codes: &[f32]) {
        for code in codes.chunks_exact(self.units) {
            let end = self.values.len() + self.k;
            for (unit, &value) in code.iter().enumerate().filter(|(_, value)| **value != 0.0) {
                self.values.push(value);
                self.columns.push(unit as u32);
            }
            self.values.resize(end, 0.0);
            self.columns.resize(end, 0);
        }
    }
}
