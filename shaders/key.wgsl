// Numbers that are ordered as the values are, with NaN as the largest.
fn key(value: f32) -> u32 {
    let bits = select(bitcast<u32>(value), 0u, value == 0.0);
    if (bits & 0x7fffffffu) > 0x7f800000u { return 0xffc00000u; }
    return select(bits | 0x80000000u, ~bits, bits >> 31u == 1u);
}

// The key of 0.
const NOTHING = 0x80000000u;
