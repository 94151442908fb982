//! Operations on bytes without weights, many elements at once: the plain loops, compiled for the
//! vector registers that the level proves.

#![allow(
    unsafe_code,
    reason = "functions are called that need instructions which the level proves"
)]

use mote_format::Quantization;

use super::Level;
use crate::kernels::quantized::{self, Addend};

/// Compiles a loop once for each set of instructions, and takes the one of the level.
macro_rules! on_registers {
    ($(#[$doc:meta])* $name:ident($($argument:ident: $kind:ty),*) = $body:path) => {
        $(#[$doc])*
        #[inline]
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

on_registers!(
    /// As [`quantized::quantize`].
    quantize(x: &[f32], q: Quantization, y: &mut [i8]) = quantized::quantize
);
on_registers!(
    /// As [`quantized::dequantize`].
    dequantize(x: &[i8], q: Quantization, y: &mut [f32]) = quantized::dequantize
);
on_registers!(
    /// As [`quantized::quantized_add`].
    add(a: Addend<'_>, b: Addend<'_>, y: (&mut [i8], Quantization), clamp: [i8; 2]) =
        quantized::quantized_add
);
