"""Writes the codes of rows by an ONNX file of strait, in actors of Ray Data.

    python encode_ray.py encoder.onnx rows.parquet codes [--actors N] [--id COLUMN] [--address ray://HOST:10001]

The rows are the numeric columns of the Parquet files, in their order, or one column of lists. Each actor has one core and its own session;
Ray needs one core more, for what reads the files.
"""

import argparse

import numpy as np
import onnxruntime
import pyarrow as pa
import ray

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("model", help="an encoder, by `strait export RUN --onnx encoder.onnx --part encoder`")
parser.add_argument("rows", help="a Parquet file or a folder of them, on a path that all machines know")
parser.add_argument("codes", help="the folder of Parquet files that is written")
parser.add_argument("--actors", type=int, default=2)
parser.add_argument("--batch", type=int, default=8192, help="rows of a batch")
parser.add_argument("--id", help="a column that is written beside the codes, and is none of the rows' numbers")
parser.add_argument("--address", help="a cluster that runs; without it one is started on this machine")


def numbers(table, column):
    """The rows of a table as a matrix."""
    table = table.drop_columns([column]) if column else table
    first = table.column(0)
    if table.num_columns == 1 and pa.types.is_nested(first.type):
        values = first.combine_chunks().flatten().to_numpy(zero_copy_only=False)
        return values.reshape(table.num_rows, -1).astype(np.float32, copy=False)
    return np.column_stack([column.to_numpy().astype(np.float32, copy=False) for column in table.columns])


class Encoder:
    def __init__(self, model, column):
        settings = onnxruntime.SessionOptions()
        # One actor, one core: more threads would get in the way of other actors.
        settings.intra_op_num_threads = settings.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(model, settings, providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0].name
        self.column = column

    def __call__(self, table):
        codes = self.session.run(["code"], {self.input: numbers(table, self.column)})[0]
        columns = {f"code_{number}": codes[:, number] for number in range(codes.shape[1])}
        if self.column:
            columns = {self.column: table.column(self.column), **columns}
        return pa.table(columns)


def main():
    options = parser.parse_args()
    # The model travels with the actors: they need no path to it.
    with open(options.model, "rb") as file:
        model = file.read()
    ray.init(address=options.address, num_cpus=None if options.address else options.actors + 1)
    rows = ray.data.read_parquet(options.rows)
    codes = rows.map_batches(
        Encoder,
        fn_constructor_args=(model, options.id),
        batch_format="pyarrow",
        batch_size=options.batch,
        compute=ray.data.ActorPoolStrategy(size=options.actors),
        num_cpus=1,
    )
    codes.write_parquet(options.codes)


if __name__ == "__main__":
    main()
