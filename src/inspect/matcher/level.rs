//! What of the CPU's vector registers a set is built for.

/// What the CPU has, or what of it is to be used.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Scalar,
    Avx2,
    /// With VBMI and VBMI2 (from Ice Lake and Zen 4 on).
    Avx512,
}

impl Level {
    #[cfg(test)]
    pub(super) const ALL: [Level; 3] = [Level::Scalar, Level::Avx2, Level::Avx512];

    /// The highest that this CPU has.
    pub(super) fn of_cpu() -> Level {
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::is_x86_feature_detected as has;
            if has!("avx2") && has!("bmi1") && has!("bmi2") && has!("popcnt") {
                let wide = has!("avx512f") && has!("avx512bw") && has!("avx512vbmi") && has!("avx512vbmi2");
                return if wide { Level::Avx512 } else { Level::Avx2 };
            }
        }
        Level::Scalar
    }
}
