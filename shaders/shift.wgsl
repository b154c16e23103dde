// Where in an image of WIDTH columns, moved at random by up to PIXELS along either axis, the value at `col` of row `row`
// comes from; -1 behind the border.
fn source(row: u32, col: u32) -> i32 {
    let words = philox(vec4<u32>(0u, step.first + row, step.counter, step.seed_high), vec2<u32>(step.seed_low, size.stream));
    let by = vec2<i32>(((words.xy >> vec2<u32>(16u)) * (2u * PIXELS + 1u)) >> vec2<u32>(16u)) - i32(PIXELS);
    let origin = vec2<i32>(i32(col % WIDTH), i32(col / WIDTH)) - by;
    if any(origin < vec2<i32>(0)) || origin.x >= i32(WIDTH) || origin.y >= i32(size.cols / WIDTH) { return -1; }
    return origin.y * i32(WIDTH) + origin.x;
}
