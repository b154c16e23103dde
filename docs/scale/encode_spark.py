"""Writes the codes of rows by an ONNX file of strait, in Spark.

    python encode_spark.py encoder.onnx rows.parquet codes [--master local[2]] [--id COLUMN]

or by `spark-submit` on a cluster. The rows are the numeric columns of the Parquet files, in their order, or one column of lists.
"""

import argparse
import os
import sys

import numpy as np
import pandas as pd
from pyspark.sql import SparkSession
from pyspark.sql.types import FloatType, StructField, StructType

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("model", help="an encoder, by `strait export RUN --onnx encoder.onnx --part encoder`")
parser.add_argument("rows", help="a Parquet file or a folder of them, on a path that all machines know")
parser.add_argument("codes", help="the folder of Parquet files that is written")
parser.add_argument("--batch", type=int, default=8192, help="rows of a batch")
parser.add_argument("--id", help="a column that is written beside the codes, and is none of the rows' numbers")
parser.add_argument("--master", help="local[2] for two cores of this machine; without it what spark-submit says")


def session_of(model):
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    # One task, one core: more threads would get in the way of other tasks.
    settings.intra_op_num_threads = settings.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model, settings, providers=["CPUExecutionProvider"])


def main():
    options = parser.parse_args()
    with open(options.model, "rb") as file:
        model = file.read()
    size = session_of(model).get_outputs()[0].shape[1]
    builder = SparkSession.builder.appName("strait encode")
    if options.master:
        builder = builder.master(options.master)
        # Tasks on this machine have the packages of this interpreter.
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    # What Spark hands to Python at a time, and a bar that shows how far it is.
    builder = builder.config("spark.sql.execution.arrow.maxRecordsPerBatch", options.batch)
    spark = builder.config("spark.ui.showConsoleProgress", "true").getOrCreate()
    rows = spark.read.parquet(options.rows)
    column = options.id
    codes = [StructField(f"code_{number}", FloatType(), False) for number in range(size)]
    schema = StructType(([rows.schema[column]] if column else []) + codes)

    def encode(frames):
        # Once for each task.
        session = session_of(model)
        name = session.get_inputs()[0].name
        for frame in frames:
            kept = frame[column] if column else None
            values = frame.drop(columns=column) if column else frame
            if values.shape[1] == 1 and values.dtypes.iloc[0] == object:
                x = np.stack(values.iloc[:, 0].to_numpy()).astype(np.float32, copy=False)
            else:
                x = values.to_numpy(np.float32)
            found = pd.DataFrame(session.run(["code"], {name: x})[0], columns=[field.name for field in codes])
            if column:
                found.insert(0, column, kept.to_numpy())
            yield found

    rows.mapInPandas(encode, schema).write.mode("overwrite").parquet(options.codes)
    spark.stop()


if __name__ == "__main__":
    main()
