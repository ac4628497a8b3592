//! Completions and the manual page, made from what can be typed.

use clap::CommandFactory;

use crate::cli::Cli;
use crate::failure::Failure;
use crate::terminal;

pub(crate) fn completions(shell: clap_complete::Shell) -> Result<(), Failure> {
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "ledgerstone", &mut out);
    Ok(terminal::print(&String::from_utf8_lossy(&out))?)
}

/// One page for the program and all its verbs.
pub(crate) fn man() -> Result<(), Failure> {
    let mut out = Vec::new();
    let mut cli = Cli::command();
    cli.build();
    let failed = |error: std::io::Error| Failure::trouble(format!("can't make the manual page: {error}"));
    clap_mangen::Man::new(cli.clone()).render(&mut out).map_err(failed)?;
    for verb in cli.get_subcommands().filter(|verb| verb.get_name() != "help") {
        let man = clap_mangen::Man::new(verb.clone());
        out.extend_from_slice(format!(".SH \"{}\"\n", verb.get_name().to_uppercase()).as_bytes());
        man.render_description_section(&mut out).map_err(failed)?;
        man.render_options_section(&mut out).map_err(failed)?;
        man.render_extra_section(&mut out).map_err(failed)?;
    }
    Ok(terminal::print(&String::from_utf8_lossy(&out))?)
}
