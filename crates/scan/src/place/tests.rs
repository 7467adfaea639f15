use super::*;

fn file(path: &str) -> Place {
    Place::File(path.into())
}

fn member(container: &Place, path: &str) -> Place {
    Place::Member { container: Arc::new(container.clone()), path: path.into() }
}

fn shown(place: &Place) -> String {
    place.path().to_string_lossy().into_owned()
}

#[test]
fn places_are_shown_as_paths() {
    let inner = member(&file("x/a.zip"), "b.tar.gz");
    assert_eq!(shown(&member(&inner, "c")), "x/a.zip!/b.tar.gz!/c");
    assert_eq!(shown(&Place::Content(Arc::new(inner))), "x/a.zip!/b.tar.gz!");
    assert_eq!(shown(&member(&Place::Stdin, "a")), "stdin!/a");
    let id: ObjectId = "a".repeat(40).parse().expect("an id");
    let object = Place::Object(id, Kind::Blob);
    assert_eq!(shown(&member(&object, "a")), format!("git/blob/{id}!/a"));
}

#[test]
fn a_place_knows_its_containers_whatever_its_names_are() {
    let archive = file("x!/a.zip");
    let inner = member(&archive, "b!/c.zip");
    let place = member(&inner, "d!/e");
    assert_eq!(place.containers().collect::<Vec<_>>(), [&inner, &archive]);
    assert_eq!(place.outermost(), &archive);
    assert_eq!(place.members(), [Path::new("b!/c.zip"), Path::new("d!/e")]);
    let file = file("x!/a.zip!/b!/c.zip!/d!/e");
    assert_eq!(file.path(), place.path());
    assert!(file != place && !file.is_member());
}

#[test]
fn a_member_keeps_its_name_in_another_container() {
    let id: ObjectId = "a".repeat(40).parse().expect("an id");
    let inner = member(&Place::Object(id, Kind::Blob), "b!/c.zip");
    let place = Place::Content(Arc::new(inner));
    let moved = place.with_outermost(&file("x/a.zip"));
    assert_eq!(moved, Place::Content(Arc::new(member(&file("x/a.zip"), "b!/c.zip"))));
    assert_eq!(file("a").with_outermost(&Place::Stdin), Place::Stdin);
}

#[test]
fn the_content_of_a_compressed_object_is_named_once_its_path_is_known() {
    let id: ObjectId = "a".repeat(40).parse().expect("an id");
    let content = member(&Place::Object(id, Kind::Blob), "");
    let nested = member(&content, "");
    assert_eq!(shown(&content), format!("git/blob/{id}!/content"));
    assert_eq!(shown(&nested), format!("git/blob/{id}!/content!/content"));
    let moved = |path: &str| shown(&nested.with_outermost(&file(path)));
    assert_eq!(moved("x/a.env.gz.xz"), "x/a.env.gz.xz!/a.env.gz!/a.env");
    assert_eq!(moved("x/a"), "x/a!/content!/content");
    assert_eq!(moved("x/.gz"), "x/.gz!/content!/content");
    let named = member(&Place::Object(id, Kind::Blob), "content");
    assert_eq!(shown(&named.with_outermost(&file("a.gz"))), "a.gz!/content");
}

#[test]
fn the_current_folder_is_dropped_from_the_outermost_path_only() {
    let place = member(&member(&file("./a.zip"), "./b.zip"), "c").plain();
    assert_eq!(place, member(&member(&file("a.zip"), "./b.zip"), "c"));
    let content = Place::Content(Arc::new(file("./a.gz"))).plain();
    assert_eq!(content, Place::Content(Arc::new(file("a.gz"))));
}

#[test]
fn a_repository_in_an_archive_has_its_files_below_its_top() {
    let archive = file("a.tar");
    let nested = member(&archive, "r/.git").top_of_git_dir();
    assert_eq!(nested.join("src/x"), member(&archive, "r/src/x"));
    assert_eq!(nested.join("src/x").below(&nested), Some(Path::new("src/x")));
    let top = member(&archive, ".git").top_of_git_dir();
    assert_eq!(shown(&top), "a.tar!");
    assert_eq!(top.join("src/x"), member(&archive, "src/x"));
    assert_eq!(top.join("src/x").below(&top), Some(Path::new("src/x")));
    assert_eq!(member(&archive, "bare").top_of_git_dir(), member(&archive, "bare"));
}

#[test]
fn places_are_sorted_by_the_paths_that_reports_show() {
    let archive = file("a.zip");
    let mut places = [
        member(&member(&archive, "x.zip"), "c"),
        Place::Content(Arc::new(archive.clone())),
        member(&archive, "x/d"),
        member(&archive, "./b"),
        member(&archive, "b"),
        file("a.zip!/b"),
        file("a.zip!/w"),
        archive,
    ];
    places.sort();
    let paths: Vec<PathBuf> = places.iter().map(|it| it.path().into_owned()).collect();
    assert!(paths.is_sorted());
    assert!(places.is_sorted_by(|a, b| a < b));
}
