//! Everything that runs in one world: the loop with its state file, the repository, the estate, the clock.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use diarchy_clock::Clock;
use diarchy_git::{Options as GitOptions, Source};
use diarchy_operator::origin::Origin;
use diarchy_operator::record::Recorder;
use diarchy_operator::report::PassReport;
use diarchy_operator::store::Store;
use diarchy_operator::{Operator, Setup};
use diarchy_simulator::Simulator;
use git2::{Oid, Repository as Git, RepositoryInitOptions, Signature, Time};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use crate::post::{Kill, Post, Way};

/// What runs in one world.
pub struct House {
    pub clock: Clock,
    pub world: Arc<Simulator>,
    pub store: Store,
    post: Post,
    operator: Operator,
    git: Git,
    head: Option<Oid>,
    /// Counts the writes to the state file down.
    fuse: rusqlite::Connection,
    folder: TempDir,
    runtime: Runtime,
}

/// How a pass ended.
#[derive(Debug)]
pub enum Ending {
    Ended(PassReport),
    #[expect(dead_code, reason = "for whoever reads why a test fails")]
    Failed(String),
    Killed,
}

/// Lets the state file refuse every write after so many.
const FUSE: &str = "
CREATE TABLE fuse (writes_left INTEGER NOT NULL);
INSERT INTO fuse VALUES (1000000000);
";

fn trigger(number: usize, when: &str) -> String {
    format!(
        "CREATE TRIGGER fuse_{number} BEFORE {when} BEGIN
            UPDATE fuse SET writes_left = writes_left - 1;
            SELECT RAISE(ABORT, 'the fuse has blown') WHERE (SELECT writes_left FROM fuse) < 0;
        END;"
    )
}

/// Memory serves as a disk where there is some: what is killed here is no machine.
fn disk() -> PathBuf {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        memory.to_owned()
    } else {
        std::env::temp_dir()
    }
}

impl House {
    pub fn new(clock: Clock, world: Simulator) -> Self {
        let folder = tempfile::tempdir_in(disk()).unwrap();
        let place = folder.path().join("git");
        let mut bare = RepositoryInitOptions::new();
        bare.bare(true)
            .initial_head("main")
            .external_template(false);
        let git = Git::init_opts(&place, &bare).unwrap();
        let store = Store::open(&folder.path().join("state")).unwrap();
        let fuse = rusqlite::Connection::open(folder.path().join("state")).unwrap();
        let writes = ["INSERT ON audit", "INSERT ON fleet", "UPDATE ON fleet"];
        let triggers = writes
            .iter()
            .enumerate()
            .map(|(at, when)| trigger(at, when));
        let sql: String = std::iter::once(FUSE.to_owned()).chain(triggers).collect();
        fuse.execute_batch(&sql).unwrap();
        let world = Arc::new(world);
        let post = Post::new(world.clone());
        let operator = operator(&place, &store, &clock, &post);
        Self {
            clock,
            world,
            store,
            post,
            operator,
            git,
            head: None,
            fuse,
            folder,
            runtime: Builder::new_current_thread().enable_time().build().unwrap(),
        }
    }

    /// Commits `text` as the only file.
    pub fn commit(&mut self, text: &str) -> String {
        let blob = self.git.blob(text.as_bytes()).unwrap();
        let mut tree = self.git.treebuilder(None).unwrap();
        tree.insert("fleet.yaml", blob, 0o100_644).unwrap();
        let tree = self.git.find_tree(tree.write().unwrap()).unwrap();
        let time = Time::new(self.clock.now().as_second(), 0);
        let author = Signature::new("Somebody", "somebody@contoso.com", &time).unwrap();
        let parent = self.head.map(|head| self.git.find_commit(head).unwrap());
        let parents: Vec<_> = parent.iter().collect();
        let branch = Some("refs/heads/main");
        let commit = self
            .git
            .commit(branch, &author, &author, "", &tree, &parents)
            .unwrap();
        self.head = Some(commit);
        commit.to_string()
    }

    /// Ends the process and starts another one on the same state file.
    pub fn restart(&mut self) {
        self.store = Store::open(&self.folder.path().join("state")).unwrap();
        let place = self.folder.path().join("git");
        self.operator = operator(&place, &self.store, &self.clock, &self.post);
    }

    /// Has the state file refuse what is written after so many writes; none: nothing.
    pub fn blow_after(&self, writes: Option<usize>) {
        let left = writes.map_or(1_000_000_000, |writes| i64::try_from(writes).unwrap());
        self.fuse
            .execute("UPDATE fuse SET writes_left = ?1", [left])
            .unwrap();
    }

    /// Makes one pass, which is killed as `kill` says. The clock goes on while it waits.
    pub fn pass(&mut self, kill: Option<Kill>) -> Ending {
        self.post.begin(kill);
        let _context = self.runtime.enter();
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(woken.clone());
        let mut task = Context::from_waker(&waker);
        let mut pass = pin!(self.operator.pass());
        let mut step = Duration::from_millis(50);
        let mut waited = Duration::ZERO;
        loop {
            match pass.as_mut().poll(&mut task) {
                Poll::Ready(Ok(report)) => return Ending::Ended(report),
                Poll::Ready(Err(error)) => return Ending::Failed(error.to_string()),
                Poll::Pending if self.post.is_killed() => return Ending::Killed,
                Poll::Pending if woken.0.swap(false, Ordering::Relaxed) => {}
                Poll::Pending => {
                    assert!(waited < Duration::from_hours(24), "a pass hangs");
                    self.clock.advance(step);
                    waited += step;
                    step = (step * 3 / 2).min(Duration::from_secs(10));
                }
            }
        }
    }
}

fn operator(git: &Path, store: &Store, clock: &Clock, post: &Post) -> Operator {
    Operator::new(Setup {
        origin: Origin::Here(Source::Repository(git.display().to_string())),
        options: GitOptions::default(),
        only: None,
        store: store.clone(),
        clock: clock.clone(),
        connect: Box::new(Way {
            post: post.clone(),
            clock: clock.clone(),
        }),
        recorder: std::env::var_os("DIARCHY_RECORD")
            .map(|folder| Recorder::new(Path::new(&folder)).unwrap()),
        approve: false,
    })
}

/// Whether the pass can go on at once.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}
