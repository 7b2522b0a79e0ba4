//! `fournil-cloud`: the ERP and the far end of every shop's tunnel.

fn main() -> std::process::ExitCode {
    fournil_cloud::cli::main()
}
