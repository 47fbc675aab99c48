//! The container image, where a builder is there; it needs no base image, so it needs no network.

use crate::machine::skipped;
use crate::support::Folder;
use std::fs;
use std::path::Path;
use std::process::Command;

/// A builder that works here, and what it said if none does.
fn builder() -> Result<&'static str, String> {
    let mut said = Vec::new();
    for (program, probe) in [("podman", "info"), ("buildah", "info"), ("docker", "info")] {
        match Command::new(program).arg(probe).output() {
            Ok(ended) if ended.status.success() => return Ok(program),
            Ok(ended) => said.push(format!("{program}: {}", String::from_utf8_lossy(&ended.stderr).lines().last().unwrap_or_default())),
            Err(_) => {}
        }
    }
    Err(if said.is_empty() { "there is no podman, buildah or docker".to_owned() } else { said.join("; ") })
}

#[test]
fn the_image_holds_what_the_program_needs_and_nothing_more() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = Folder::new();
    let image = folder.path().join("image");
    let stripped = folder.path().join("framewright");
    assert!(Command::new("strip").arg("-o").arg(&stripped).arg(env!("CARGO_BIN_EXE_framewright")).status().unwrap().success());
    let made = Command::new(root.join("deploy/container-root")).arg(&stripped).arg(&image).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    // It runs with nothing of this machine around it, as nobody.
    let run = |arguments: &[&str]| {
        Command::new("chroot").args(["--userspec=65532:65532"]).arg(&image).arg("/usr/bin/framewright").args(arguments).output()
    };
    match run(&["version"]) {
        Ok(ended) if String::from_utf8_lossy(&ended.stderr).contains("Operation not permitted") => skipped("chroot takes root"),
        Ok(ended) => assert!(ended.status.success(), "{ended:?}"),
        Err(error) => skipped(&format!("chroot: {error}")),
    }
    let mut files = Vec::new();
    walk(&image, &mut files);
    for needed in ["usr/bin/framewright", "etc/passwd"] {
        assert!(files.iter().any(|file| file.ends_with(needed)), "{needed}: {files:?}");
    }
    assert!(files.iter().filter(|file| !file.contains("zoneinfo")).count() < 20, "{files:?}");

    let builder = match builder() {
        Ok(builder) => builder,
        Err(why) => return skipped(&format!("the container image was not built: {why}")),
    };
    let context = folder.path().join("context");
    fs::create_dir(&context).unwrap();
    fs::rename(&image, context.join("image")).unwrap();
    fs::copy(root.join("deploy/Containerfile"), context.join("Containerfile")).unwrap();
    let mut command = Command::new(builder);
    let tag = format!("localhost/framewright-test:{}", std::process::id());
    command.arg("build");
    if builder != "docker" {
        // The other format has no health check.
        command.args(["--format", "docker"]);
    }
    command.args(["--build-arg", "FROM=prebuilt", "-t", &tag, "-f"]).arg(context.join("Containerfile")).arg(&context);
    let built = command.output().unwrap();
    let inspect = if builder == "buildah" { &["inspect", "--type", "image", &tag][..] } else { &["image", "inspect", &tag] };
    let inspected = String::from_utf8_lossy(&Command::new(builder).args(inspect).output().unwrap().stdout).into_owned();
    let removed = Command::new(builder).args(["rmi", &tag]).output().unwrap();
    assert!(built.status.success(), "{builder}: {}{}", String::from_utf8_lossy(&built.stdout), String::from_utf8_lossy(&built.stderr));
    assert!(removed.status.success());
    for part in ["65532:65532", "/usr/bin/framewright", "health", "FRAMEWRIGHT_LISTEN=0.0.0.0:7878"] {
        assert!(inspected.contains(part), "{part}: {inspected}");
    }
}

fn walk(folder: &Path, into: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            walk(&entry.path(), into);
        } else {
            into.push(entry.path().display().to_string());
        }
    }
}
