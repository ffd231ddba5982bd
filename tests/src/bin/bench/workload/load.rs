//! How long `ftp-nat run` takes from its start until it says `ready:`. Most of
//! it is the kernel's check of the programs.

use std::time::Instant;

use anyhow::Result;
use ftp_nat_tests::lab::Lab;

use crate::{
    report::{Case, Series, Target},
    turns::Effort,
};

/// The workload.
pub fn run(effort: &Effort) -> Result<Vec<Case>> {
    let lab = Lab::masquerade()?;
    let (mut fresh, mut again) = (Vec::new(), Vec::new());
    for _ in 0..effort.pairs {
        let start = Instant::now();
        let mut helper = lab.ftp_nat().start()?;
        fresh.push(start.elapsed().as_secs_f64());
        helper.terminate()?;
        let start = Instant::now();
        helper.run_again()?;
        again.push(start.elapsed().as_secs_f64());
        helper.terminate()?;
        helper.unload()?;
    }
    let wanted = Some(Target::AtMost(0.5));
    let series = vec![
        Series::of("first start", fresh, wanted),
        Series::of("restart, adopting what is pinned", again, None),
    ];
    Ok(vec![Case::new("load: until `ready:`", "s", series).print()])
}
