//! A graph that is recorded operation by operation.

use super::proto::{
    AttributeProto, DOUBLE, Dimension, FLOAT, GraphProto, INT32, INT64, NodeProto, TensorProto, TensorShape,
    TensorType, TypeProto, ValueInfo,
};
use crate::models::Convolution;
use crate::{Activation, Affine, Groups};

/// The type of a value's numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Type {
    Single,
    Double,
    Whole,
    Short,
}

impl Type {
    fn code(self) -> i32 {
        match self {
            Self::Single => FLOAT,
            Self::Double => DOUBLE,
            Self::Whole => INT64,
            Self::Short => INT32,
        }
    }
}

/// A graph under construction. Values are named, and each is `[n, ...]`.
pub(super) struct Graph {
    graph: GraphProto,
}

impl Graph {
    pub(super) fn new(name: &str) -> Self {
        Self { graph: GraphProto { name: name.to_owned(), ..GraphProto::default() } }
    }

    pub(super) fn finish(self) -> GraphProto {
        self.graph
    }

    /// Declares an input `[n, width]`.
    pub(super) fn input(&mut self, name: &str, width: usize, kind: Type) -> String {
        self.graph.input.push(value(name, Some(width), kind));
        name.to_owned()
    }

    /// Makes a value an output of this name: `[n, width]`, or `[n]`.
    pub(super) fn output(&mut self, from: &str, name: &str, width: Option<usize>, kind: Type) {
        self.node("Identity", &[from], name, &[]);
        self.graph.output.push(value(name, width, kind));
    }

    fn node(&mut self, op: &str, inputs: &[&str], output: &str, attributes: &[AttributeProto]) {
        self.graph.node.push(NodeProto {
            input: inputs.iter().map(|&name| name.to_owned()).collect(),
            output: vec![output.to_owned()],
            name: format!("{op}_{}", self.graph.node.len()),
            op_type: op.to_owned(),
            attribute: attributes.to_vec(),
        });
    }

    /// An operation; gives the name of its result.
    pub(super) fn op(&mut self, op: &str, inputs: &[&str], attributes: &[AttributeProto]) -> String {
        let output = format!("{}_{}", op.to_lowercase(), self.graph.node.len());
        self.node(op, inputs, &output, attributes);
        output
    }

    fn constant(&mut self, shape: &[usize], kind: Type, raw_data: Vec<u8>) -> String {
        let name = format!("constant_{}", self.graph.initializer.len());
        let dims = shape.iter().map(|&size| size as i64).collect();
        self.graph.initializer.push(TensorProto { dims, data_type: kind.code(), name: name.clone(), raw_data });
        name
    }

    pub(super) fn single(&mut self, shape: &[usize], values: &[f32]) -> String {
        self.constant(shape, Type::Single, values.iter().flat_map(|x| x.to_le_bytes()).collect())
    }

    pub(super) fn double(&mut self, shape: &[usize], values: &[f64]) -> String {
        self.constant(shape, Type::Double, values.iter().flat_map(|x| x.to_le_bytes()).collect())
    }

    pub(super) fn whole(&mut self, values: &[i64]) -> String {
        self.constant(&[values.len()], Type::Whole, values.iter().flat_map(|x| x.to_le_bytes()).collect())
    }

    pub(super) fn cast(&mut self, x: &str, to: Type) -> String {
        self.op("Cast", &[x], &[int("to", i64::from(to.code()))])
    }

    /// `x W + b`, or a convolution, before its activation.
    pub(super) fn totals(&mut self, x: &str, layer: &Affine) -> String {
        match layer.convolution {
            None => {
                let weight = self.single(&[layer.inputs, layer.outputs], &layer.weight);
                let bias = self.single(&[layer.outputs], &layer.bias);
                self.op("Gemm", &[x, &weight, &bias], &[])
            }
            Some(convolution) => self.convolution(x, layer, convolution),
        }
    }

    pub(super) fn activation(&mut self, x: &str, activation: Activation) -> String {
        match activation {
            Activation::Linear => x.to_owned(),
            Activation::Logistic => self.op("Sigmoid", &[x], &[]),
            Activation::Tanh => self.op("Tanh", &[x], &[]),
            Activation::Relu => self.op("Relu", &[x], &[]),
            Activation::Softplus => self.op("Softplus", &[x], &[]),
        }
    }

    pub(super) fn layer(&mut self, x: &str, layer: &Affine) -> String {
        let totals = self.totals(x, layer);
        let out = self.activation(&totals, layer.activation);
        let Some(threshold) = &layer.threshold else {
            return out;
        };
        let threshold = self.single(&[layer.outputs], threshold);
        let exceeds = self.op("Greater", &[&out, &threshold], &[]);
        let none = self.single(&[1], &[0.0]);
        self.op("Where", &[&exceeds, &out, &none], &[])
    }

    /// Maps lie by rows, columns and channels here, and channels come first there.
    fn convolution(&mut self, x: &str, layer: &Affine, Convolution { window, transposed }: Convolution) -> String {
        let [down, across] = window.steps();
        let filters = layer.weight.len() / window.taps();
        let (taken, given) = if transposed {
            ([down, across, filters], [window.height, window.width, window.channels])
        } else {
            ([window.height, window.width, window.channels], [down, across, filters])
        };
        let shape = self.whole(&[-1, taken[0] as i64, taken[1] as i64, taken[2] as i64]);
        let x = self.op("Reshape", &[x, &shape], &[]);
        let x = self.op("Transpose", &[&x], &[ints("perm", &[0, 3, 1, 2])]);
        let ([tall, wide], channels) = (window.edges(), window.channels);
        // Both operations take [filters, channels, tall, wide].
        let place = |filter: usize, channel: usize, tap: usize| (tap * channels + channel) * filters + filter;
        let weight: Vec<f32> = (0..filters)
            .flat_map(|filter| (0..channels).map(move |channel| (filter, channel)))
            .flat_map(|(filter, channel)| (0..tall * wide).map(move |tap| place(filter, channel, tap)))
            .map(|place| layer.weight[place])
            .collect();
        let weight = self.single(&[filters, channels, tall, wide], &weight);
        let bias = self.single(&[layer.bias.len()], &layer.bias);
        let stride = window.stride as i64;
        let ([k, l], [above, beside]) =
            ([tall, wide].map(|size| size as i64), window.borders().map(|size| size as i64));
        let mut attributes = vec![
            ints("kernel_shape", &[k, l]),
            ints("strides", &[stride, stride]),
            ints("pads", &[above, beside, above, beside]),
        ];
        let made = if transposed {
            let rest = |map: usize, steps: usize, k: i64, border: i64| {
                map as i64 - ((steps as i64 - 1) * stride + k - 2 * border)
            };
            let rest = [rest(window.height, down, k, above), rest(window.width, across, l, beside)];
            attributes.push(ints("output_padding", &rest));
            self.op("ConvTranspose", &[&x, &weight, &bias], &attributes)
        } else {
            self.op("Conv", &[&x, &weight, &bias], &attributes)
        };
        let made = self.op("Transpose", &[&made], &[ints("perm", &[0, 2, 3, 1])]);
        let shape = self.whole(&[-1, given.iter().product::<usize>() as i64]);
        self.op("Reshape", &[&made, &shape], &[])
    }

    /// The two parts of rows, of these sizes.
    pub(super) fn halves(&mut self, x: &str, sizes: &str) -> [String; 2] {
        let halves = ["first", "second"].map(|half| format!("{x}_{half}"));
        self.graph.node.push(NodeProto {
            input: vec![x.to_owned(), sizes.to_owned()],
            output: halves.to_vec(),
            name: format!("Split_{}", self.graph.node.len()),
            op_type: "Split".to_owned(),
            attribute: vec![int("axis", 1)],
        });
        halves
    }

    /// An operation with two results.
    pub(super) fn two(&mut self, op: &str, inputs: &[&str], attributes: &[AttributeProto]) -> [String; 2] {
        let number = self.graph.node.len();
        let results = ["first", "second"].map(|result| format!("{}_{number}_{result}", op.to_lowercase()));
        self.graph.node.push(NodeProto {
            input: inputs.iter().map(|&name| name.to_owned()).collect(),
            output: results.to_vec(),
            name: format!("{op}_{number}"),
            op_type: op.to_owned(),
            attribute: attributes.to_vec(),
        });
        results
    }

    /// Keeps the largest numbers of each row.
    pub(super) fn largest(&mut self, x: &str, count: usize) -> String {
        let count = self.whole(&[count as i64]);
        let (values, places) = (format!("{x}_largest"), format!("{x}_places"));
        self.graph.node.push(NodeProto {
            input: vec![x.to_owned(), count],
            output: vec![values.clone(), places.clone()],
            name: format!("TopK_{}", self.graph.node.len()),
            op_type: "TopK".to_owned(),
            attribute: vec![int("axis", 1)],
        });
        let zeros = self.op("Sub", &[x, x], &[]);
        self.op("ScatterElements", &[&zeros, &places, &values], &[int("axis", 1)])
    }

    /// The probabilities of units that are groups, behind binary ones, from their total inputs.
    pub(super) fn groups(&mut self, x: &str, units: usize, Groups { first, classes }: Groups) -> String {
        let of_groups = (units - first) / classes;
        let part = |graph: &mut Self, from: usize, to: usize| {
            let bounds = [from as i64, to as i64, 1].map(|bound| graph.whole(&[bound]));
            graph.op("Slice", &[x, &bounds[0], &bounds[1], &bounds[2]], &[])
        };
        let grouped = part(self, first, units);
        let shape = self.whole(&[-1, of_groups as i64, classes as i64]);
        let grouped = self.op("Reshape", &[&grouped, &shape], &[]);
        let grouped = self.op("Softmax", &[&grouped], &[int("axis", -1)]);
        let shape = self.whole(&[-1, (units - first) as i64]);
        let grouped = self.op("Reshape", &[&grouped, &shape], &[]);
        if first == 0 {
            return grouped;
        }
        let binary = part(self, 0, first);
        let binary = self.op("Sigmoid", &[&binary], &[]);
        self.op("Concat", &[&binary, &grouped], &[int("axis", 1)])
    }
}

fn value(name: &str, width: Option<usize>, kind: Type) -> ValueInfo {
    let rows = Dimension { dim_param: Some("n".to_owned()), dim_value: None };
    let columns = width.map(|width| Dimension { dim_value: Some(width as i64), dim_param: None });
    let shape = TensorShape { dim: std::iter::once(rows).chain(columns).collect() };
    let tensor_type = TensorType { elem_type: kind.code(), shape: Some(shape) };
    ValueInfo { name: name.to_owned(), kind: Some(TypeProto { tensor_type: Some(tensor_type) }) }
}

pub(super) fn int(name: &str, i: i64) -> AttributeProto {
    AttributeProto { name: name.to_owned(), i, s: Vec::new(), ints: Vec::new(), kind: 2 }
}

pub(super) fn ints(name: &str, ints: &[i64]) -> AttributeProto {
    AttributeProto { name: name.to_owned(), i: 0, s: Vec::new(), ints: ints.to_vec(), kind: 7 }
}

pub(super) fn text(name: &str, text: &str) -> AttributeProto {
    AttributeProto { name: name.to_owned(), i: 0, s: text.as_bytes().to_vec(), ints: Vec::new(), kind: 3 }
}
