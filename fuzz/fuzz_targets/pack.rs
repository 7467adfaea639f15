//! A pack and its index of any bytes: every object is read or yields an error, and nothing panics.
//!
//! The input is an index, three offsets and the entries of a pack. The pack is walked with that index, and
//! with a valid index that lists the three offsets, so that the fuzzer reaches the entries soon.

#![no_main]

use ddpatrol_pack::{
    DeltaForest, Fault, HashKind, Kinds, Object, ObjectId, Pack, PackError, Reader, Visitor,
    WalkOptions,
};
use libfuzzer_sys::fuzz_target;
use std::io::{self, Read};
use std::sync::Arc;

struct Look;

impl Visitor for Look {
    type BaseData = Vec<u8>;

    fn visit(&mut self, object: &mut Object<'_>, base: Option<&Vec<u8>>) -> Result<Vec<u8>, Fault> {
        assert!(base.is_none_or(|base| base == object.base()), "the base is the base");
        let mut read = Vec::new();
        object.read(0..object.len() as usize, &mut read);
        assert_eq!(object.assemble()?, read, "both ways yield the same bytes");
        Ok(read)
    }

    fn stream(&mut self, _: ObjectId, _: u64, content: &mut dyn Read) -> io::Result<()> {
        io::copy(content, &mut io::sink()).map(drop)
    }

    fn failed(&mut self, error: PackError) {
        assert!(!error.to_string().is_empty());
    }

    fn is_stopped(&self) -> bool {
        false
    }
}

/// An index, version 2, of three entries.
fn index(offsets: [u8; 3]) -> Vec<u8> {
    let mut index = b"\xfftOc\0\0\0\x02".to_vec();
    (0..256_u32).for_each(|at| index.extend((at + 1).min(3).to_be_bytes()));
    (0..3_u8).for_each(|first| index.extend([&[first][..], &[0; 19]].concat()));
    index.extend([0; 12]);
    offsets.iter().for_each(|&offset| index.extend(u32::from(offset).to_be_bytes()));
    index.extend([0; 40]);
    index
}

fuzz_target!(|input: (Vec<u8>, [u8; 3], Vec<u8>)| {
    let (own, offsets, entries) = input;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("pack-1.pack");
    let pack = [&b"PACK\0\0\0\x02\0\0\0\x03"[..], &entries, &[0; 20]].concat();
    std::fs::write(&path, pack).expect("room");
    for index in [own, index(offsets)] {
        std::fs::write(path.with_extension("idx"), index).expect("room");
        let Ok(pack) = Pack::open(&path, HashKind::Sha1) else { continue };
        let pack = Arc::new(pack);
        let forest = DeltaForest::new(Arc::clone(&pack), None, |_| ());
        let options = WalkOptions { kinds: Kinds::ALL, pool: None, budget: 1 << 20, skip: None };
        forest.walk(&options, &|| Look);
        for offset in (0..pack.index().len()).filter_map(|at| pack.index().offset(at)) {
            let _ = pack.read(offset, &mut Reader::default(), &mut |_| None);
        }
    }
});
