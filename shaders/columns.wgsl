// Sums over the rows of COLUMNS neighbouring columns by one workgroup of LANES invocations, in a fixed order. An invocation
// adds every `ROWS_APART`-th row of its column, so that many rows are on their way at a time.
const COLUMNS = 8u;
const ROWS_APART = LANES / COLUMNS;
// Columns from those of a workgroup to its next ones: there are 16384 workgroups at most.
const COLUMNS_APART = 131072u;
var<workgroup> column_parts: array<f32, LANES>;

// The sum of a column from the parts that its invocations have added, for the first COLUMNS invocations.
fn sum_of_column(lane: u32, part: f32) -> f32 {
    workgroupBarrier();
    column_parts[lane] = part;
    workgroupBarrier();
    var sum = 0.0;
    if lane < COLUMNS {
        for (var i = lane; i < LANES; i += COLUMNS) {
            sum += column_parts[i];
        }
    }
    return sum;
}
