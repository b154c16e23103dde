//! What compilers make of the kernels of the CPU back end.

#![cfg(all(target_arch = "x86_64", unix))]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use strait_compute::{Backend, Cpu};

/// Every number of a tensor lies beside its neighbours, so that no kernel has to gather or scatter vectors. Compilers for
/// AVX-512 do, where they take a loop over rows for the one to be turned into vectors.
#[test]
fn no_kernel_gathers() {
    // So that the kernels are part of this program.
    let cpu = Cpu::with_threads(1).expect("threads start");
    std::hint::black_box(&cpu as &dyn Backend);
    let program = std::env::current_exe().expect("a test is a file");
    let disassembler =
        Command::new("objdump").args(["-d", "-C", "--no-show-raw-insn"]).arg(program).stdout(Stdio::piped()).spawn();
    let Ok(mut disassembler) = disassembler else {
        assert!(std::env::var_os("STRAIT_REQUIRE_OBJDUMP").is_none(), "there is no objdump, which binutils have");
        eprintln!("SKIPPED: the kernels' machine code was not looked at, because there is no objdump");
        return;
    };
    let (mut kernels, mut gathering) = (0, BTreeMap::new());
    let mut function = String::new();
    for line in BufReader::new(disassembler.stdout.take().expect("it is piped")).lines().map_while(Result::ok) {
        if let Some((_, name)) = line.strip_suffix(">:").and_then(|line| line.split_once(" <")) {
            kernels += usize::from(name.contains("::avx512"));
            function = name.to_owned();
        } else if ["gather", "scatter"]
            .iter()
            .any(|word| line.contains(&format!("{word}d")) || line.contains(&format!("{word}q")))
        {
            *gathering.entry(function.clone()).or_insert(0) += 1;
        }
    }
    assert!(disassembler.wait().is_ok_and(|status| status.success()), "objdump reads this program");
    assert!(kernels > 20, "found {kernels} kernels for AVX-512");
    assert!(gathering.is_empty(), "vectors are gathered or scattered, so often in each: {gathering:?}");
}
