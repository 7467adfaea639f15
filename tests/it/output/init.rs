//! `ddpatrol init`.

use crate::support::repo::Repo;
use crate::support::tree::Tree;

const FILE: &str = ".ddpatrol.toml";

#[test]
fn a_configuration_is_written_once_at_the_top_of_the_repository() {
    let repo = Repo::with_files(&[("sub/a", "text")]);
    let ran = repo.run_in(&repo.path().join("sub"), &["init"], &[]);
    assert_eq!(ran.code(), Some(0), "{ran:?}");
    let text = std::fs::read_to_string(repo.path().join(FILE)).expect("a file");
    assert_eq!(repo.run(&["scan"]).code(), Some(0));
    repo.write(FILE, "fail_on = \"never\"\n");
    let ran = repo.run(&["init"]);
    assert_eq!(ran.code(), Some(2));
    assert!(ran.stderr().contains("already exists: --force replaces it"), "{ran:?}");
    assert_eq!(repo.run(&["init", "--force"]).code(), Some(0));
    assert_eq!(std::fs::read_to_string(repo.path().join(FILE)).expect("a file"), text);
    let tree = Tree::new();
    assert_eq!(tree.run(&["init"]).code(), Some(0));
    assert!(tree.path().join(FILE).exists());
}
