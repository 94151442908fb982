//! Where training runs.

/// A processor that Burn was built for. The CPU always is; GPUs are cargo features.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Device {
    /// The processor, with Burn's `flex` backend.
    #[default]
    Cpu,
    /// A GPU through Vulkan, Metal or DirectX.
    #[cfg(feature = "wgpu")]
    Wgpu,
    /// An NVIDIA GPU.
    #[cfg(feature = "cuda")]
    Cuda,
}

impl Device {
    /// All devices of this build, by name.
    pub const ALL: &'static [(&'static str, Self)] = &[
        ("cpu", Self::Cpu),
        #[cfg(feature = "wgpu")]
        ("wgpu", Self::Wgpu),
        #[cfg(feature = "cuda")]
        ("cuda", Self::Cuda),
    ];

    pub(crate) fn burn(self) -> burn::tensor::Device {
        match self {
            Self::Cpu => burn::tensor::Device::flex(),
            #[cfg(feature = "wgpu")]
            Self::Wgpu => burn::tensor::Device::wgpu(burn::tensor::DeviceKind::DefaultDevice),
            #[cfg(feature = "cuda")]
            Self::Cuda => burn::tensor::Device::cuda(0),
        }
    }
}
