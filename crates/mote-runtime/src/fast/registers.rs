//! Functions in plain Rust, compiled for the vector registers that the level proves.

/// Compiles a function once for each set of instructions, and takes the one of the level.
///
/// What it calls has to be inlined into it. Bodies are loops: closures that iterators and arrays are handed are at times
/// compiled by themselves, and then without the registers.
macro_rules! on_registers {
    ($(#[$doc:meta])* $name:ident($($argument:ident: $kind:ty),*) = $body:path) => {
        $(#[$doc])*
        #[inline]
        #[allow(
            unsafe_code,
            reason = "a function is called that needs instructions which the level proves"
        )]
        pub(crate) fn $name(level: Level, $($argument: $kind),*) {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,fma")]
                unsafe fn avx512($($argument: $kind),*) {
                    $body($($argument),*);
                }
                #[target_feature(enable = "avx2,fma")]
                unsafe fn avx2($($argument: $kind),*) {
                    $body($($argument),*);
                }
                match level {
                    // SAFETY: the level proves the instructions.
                    Level::Avx512(_) => return unsafe { avx512($($argument),*) },
                    // SAFETY: likewise.
                    Level::Avx2(_) => return unsafe { avx2($($argument),*) },
                    _ => {}
                }
            }
            let _ = level;
            $body($($argument),*);
        }
    };
}

pub(super) use on_registers;
