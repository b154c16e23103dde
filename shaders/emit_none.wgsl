fn emit(i: u32, p: f32, d: f32) {}
