//! Which instructions there are.

/// The vector instructions that kernels use.
///
/// A value other than `Plain` proves that this machine has them, so it can only be had from
/// [`Level::best`] and [`Level::available`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Level {
    /// None beyond what every machine of this kind has; the oracle, the same bits everywhere. It
    /// reads weights in place.
    Plain,
    /// x86-64 with AVX2 and FMA.
    Avx2(Proof),
    /// x86-64 with AVX-512 F, BW, DQ, VL and VNNI, and with what else was found.
    Avx512(Proof),
    /// 64-bit Arm: NEON.
    Neon(Proof),
    /// 64-bit Arm with the dot product of bytes.
    NeonDot(Proof),
}

/// That the instructions were looked for and found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Proof {
    /// Whether there are also shuffles of bytes from two whole registers (AVX-512 VBMI).
    pub(super) shuffles: bool,
    /// Whether there are also tiles (AMX for bytes), and this process may use them.
    pub(super) tiles: bool,
}

impl Level {
    /// The fastest one that this machine has.
    #[must_use]
    pub fn best() -> Self {
        Self::available().last().unwrap_or(Self::Plain)
    }

    /// All that this machine has, the slowest first. Without `std` only what the compiler was told.
    ///
    /// On a processor with AMX, the first call asks Linux to let this process use it, which cannot be taken back:
    /// from then on, stacks for signals must have room for 8 KiB more.
    pub fn available() -> impl Iterator<Item = Self> {
        let found = found();
        let proof = Proof { shuffles: found.avx512_vbmi, tiles: false };
        [
            (true, Self::Plain),
            (found.avx2, Self::Avx2(proof)),
            (found.avx512, Self::Avx512(proof)),
            (found.amx, Self::Avx512(Proof { tiles: true, ..proof })),
            (found.neon, Self::Neon(proof)),
            (found.neon_dot, Self::NeonDot(proof)),
        ]
        .into_iter()
        .filter_map(|(has, level)| has.then_some(level))
    }

    /// Whether products of bytes have tiles.
    #[inline]
    pub(crate) fn tiles(self) -> bool {
        matches!(self, Self::Avx512(Proof { tiles: true, .. }))
    }

    /// Its name: `plain`, `avx2`, `avx512`, `amx`, `neon`, `neon-dot`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Avx2(_) => "avx2",
            Self::Avx512(Proof { tiles: true, .. }) => "amx",
            Self::Avx512(_) => "avx512",
            Self::Neon(_) => "neon",
            Self::NeonDot(_) => "neon-dot",
        }
    }
}

/// Whether this machine has all of these: asked at run time where there is a system to ask.
#[cfg(target_arch = "x86_64")]
macro_rules! has {
    ($($feature:tt),+) => {
        if cfg!(feature = "std") {
            #[cfg(feature = "std")]
            { $(std::is_x86_feature_detected!($feature))&&+ }
            #[cfg(not(feature = "std"))]
            false
        } else {
            $(cfg!(target_feature = $feature))&&+
        }
    };
}

#[cfg(target_arch = "aarch64")]
macro_rules! has {
    ($($feature:tt),+) => {
        if cfg!(feature = "std") {
            #[cfg(feature = "std")]
            { $(std::arch::is_aarch64_feature_detected!($feature))&&+ }
            #[cfg(not(feature = "std"))]
            false
        } else {
            $(cfg!(target_feature = $feature))&&+
        }
    };
}

/// For each level, whether this machine has it.
#[cfg(target_arch = "x86_64")]
fn found() -> Found {
    let avx2 = has!("avx2", "fma");
    let avx512 = has!("avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512vnni");
    let avx512_vbmi = has!("avx512vbmi");
    let avx512 = avx2 && avx512;
    Found { avx2, avx512, avx512_vbmi, amx: avx512 && tiles_are_granted(), ..Found::default() }
}

/// Whether there is AMX for bytes, and Linux lets this process use it, which it has to be asked for: each thread
/// then keeps 8 KiB more when it waits.
#[cfg(all(target_arch = "x86_64", target_os = "linux", feature = "std", not(miri)))]
#[allow(unsafe_code, reason = "a question to the processor, and one to the system")]
fn tiles_are_granted() -> bool {
    use core::arch::{asm, x86_64::__cpuid_count};
    /// `AMX-TILE` and `AMX-INT8` in leaf 7.
    const TILES: u32 = 0b11 << 24;
    const ARCH_PRCTL: i64 = 158;
    const ARCH_REQ_XCOMP_PERM: i64 = 0x1023;
    const XFEATURE_XTILEDATA: i64 = 18;
    static GRANTED: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
    let ask = || {
        if __cpuid_count(7, 0).edx & TILES != TILES {
            return false;
        }
        let mut result = ARCH_PRCTL;
        // SAFETY: the system changes nothing but what it keeps of this process.
        unsafe {
            asm!(
                "syscall",
                inout("rax") result,
                in("rdi") ARCH_REQ_XCOMP_PERM,
                in("rsi") XFEATURE_XTILEDATA,
                out("rcx") _,
                out("r11") _,
                options(nostack),
            );
        }
        result == 0
    };
    *GRANTED.get_or_init(ask)
}

#[cfg(all(target_arch = "x86_64", not(all(target_os = "linux", feature = "std", not(miri)))))]
fn tiles_are_granted() -> bool {
    false
}

#[cfg(target_arch = "aarch64")]
fn found() -> Found {
    let neon = has!("neon");
    Found { neon, neon_dot: neon && has!("dotprod"), ..Found::default() }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn found() -> Found {
    Found::default()
}

#[derive(Default)]
struct Found {
    avx2: bool,
    avx512: bool,
    avx512_vbmi: bool,
    amx: bool,
    neon: bool,
    neon_dot: bool,
}
