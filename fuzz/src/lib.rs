//! What all fuzz targets do: read a file to its end.

use std::sync::LazyLock;

use strait_data::{Format, Options, open, survey};
use tempfile::TempDir;

/// Values that are looked at; a sparse matrix may have any number of them.
const MOST: usize = 1 << 22;

/// Reads these bytes as a file, as `strait inspect` does and then as training does. Errors are what most inputs deserve.
pub fn read(data: &[u8], format: Option<Format>) {
    static FOLDER: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a temporary folder"));
    let path = FOLDER.path().join("input");
    std::fs::write(&path, data).expect("the temporary folder is writable");
    let options = Options { format, max_bytes: 64 << 20, ..Options::default() };
    let Ok(seen) = survey(&path, &options) else { return };
    let (count, width) = (seen.count(), seen.width());
    let _ = seen.head(count.min(MOST / width.max(1)));
    if count.saturating_mul(width) > MOST {
        return;
    }
    let _ = seen.check();
    if let Ok(data) = open(&path, &options)
        && let Ok(rows) = data.rows()
    {
        assert_eq!([rows.count, rows.width], [data.count(), data.width()]);
    }
}
