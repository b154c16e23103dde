//! What becomes of the kernels on Metal and DX12, whose drivers are given other languages than WGSL.

#[path = "../examples/dump_wgsl/every_kernel.rs"]
mod every_kernel;

use naga::back::{hlsl, msl};
use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};
use naga::valid::{Capabilities, FunctionInfo, ModuleInfo, ValidationFlags, Validator};
use naga::{AddressSpace, Block, Expression, Function, Module, ShaderStage, Statement, TypeInner};

/// A kernel as wgpu has it before it translates it.
struct Kernel {
    name: String,
    module: Module,
    info: ModuleInfo,
}

/// All kernels that Metal and DX12 may be given: wgpu has no cooperative matrices on DX12, and on Metal none whose subgroups it knows
/// to have one size.
fn every_kernel() -> Vec<Kernel> {
    let texts = every_kernel::texts(true).expect("the program that has every operation");
    let parse = |(text, name): (String, String)| {
        let module = naga::front::wgsl::parse_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let info = Validator::new(ValidationFlags::all(), Capabilities::all())
            .validate(&module)
            .unwrap_or_else(|error| panic!("{name}: {error:?}"));
        Kernel { name, module, info }
    };
    let kernels: Vec<Kernel> = texts.into_iter().filter(|(text, _)| !text.contains("coop_mat")).map(parse).collect();
    assert!(kernels.len() > 100, "{} kernels", kernels.len());
    kernels
}

fn entry_point() -> Option<(ShaderStage, String)> {
    Some((ShaderStage::Compute, "main".to_owned()))
}

#[test]
fn kernels_are_translated_for_metal() {
    for checked in [false, true] {
        let policy = if checked { BoundsCheckPolicy::Restrict } else { BoundsCheckPolicy::Unchecked };
        let options = msl::Options {
            lang_version: (2, 0),
            fake_missing_bindings: true,
            bounds_check_policies: BoundsCheckPolicies { index: policy, buffer: policy, ..Default::default() },
            force_loop_bounding: checked,
            ..Default::default()
        };
        let pipeline = msl::PipelineOptions { entry_point: entry_point(), ..Default::default() };
        for Kernel { name, module, info } in every_kernel() {
            let translated = msl::write_string(&module, &info, &options, &pipeline);
            assert!(translated.is_ok(), "{name}: {:?}", translated.err());
        }
    }
}

#[test]
fn kernels_are_translated_for_dx12() {
    // What Microsoft's old compiler reads, which every Windows has, and the new one.
    for shader_model in [hlsl::ShaderModel::V5_1, hlsl::ShaderModel::V6_0] {
        let options = hlsl::Options { shader_model, fake_missing_bindings: true, ..Default::default() };
        let pipeline = hlsl::PipelineOptions { entry_point: entry_point() };
        for Kernel { name, module, info } in every_kernel() {
            let mut text = String::new();
            let translated = hlsl::Writer::new(&mut text, &options, &pipeline).write(&module, &info, None);
            assert!(translated.is_ok(), "{name}: {:?}", translated.err());
        }
    }
}

/// In registers a component that is chosen at run time cannot be written to in DX12's assembly, so that Microsoft's old compiler
/// unrolls all loops around it, and gives up where it does not know how often they run. In memory that invocations share, a write to
/// a component may touch all of the vector, and so it does on Metal: of several invocations that write to one vector only the last
/// would be heard.
#[test]
fn vectors_are_written_by_known_components_or_as_a_whole() {
    for Kernel { name, module, info } in every_kernel() {
        let functions = module.functions.iter().map(|(handle, function)| (function, &info[handle]));
        let entry_points = module.entry_points.iter().enumerate();
        let mains = entry_points.map(|(i, entry)| (&entry.function, info.get_entry_point(i)));
        for (function, of_function) in functions.chain(mains) {
            let found = writes_chosen_component(&module, function, of_function, &function.body);
            assert!(!found, "{name}: {}", function.name.as_deref().unwrap_or("main"));
        }
    }
}

/// Whether statements of a function write to a component of a vector that is chosen at run time or, in memory, to any.
fn writes_chosen_component(module: &Module, function: &Function, info: &FunctionInfo, block: &Block) -> bool {
    let within = |block: &Block| writes_chosen_component(module, function, info, block);
    block.iter().any(|statement| match statement {
        Statement::Store { pointer, .. } => {
            let (base, known) = match function.expressions[*pointer] {
                Expression::Access { base, .. } => (base, false),
                Expression::AccessIndex { base, .. } => (base, true),
                _ => return false,
            };
            let space = match *info[base].ty.inner_with(&module.types) {
                TypeInner::Pointer { base, space } if matches!(module.types[base].inner, TypeInner::Vector { .. }) => {
                    space
                }
                TypeInner::ValuePointer { size: Some(_), space, .. } => space,
                _ => return false,
            };
            !(known && space == AddressSpace::Function)
        }
        Statement::Block(block) => within(block),
        Statement::If { accept, reject, .. } => within(accept) || within(reject),
        Statement::Switch { cases, .. } => cases.iter().any(|case| within(&case.body)),
        Statement::Loop { body, continuing, .. } => within(body) || within(continuing),
        _ => false,
    })
}
