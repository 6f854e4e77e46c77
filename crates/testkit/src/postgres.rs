//! A PostgreSQL server for tests: started when a test first needs it, and gone when no test needs it any more.
//!
//! The tests of one target directory share a server, also when each test is a process of its own, and each gets a database of its own
//! ([`Database::fresh`]). Who wants to stop a server takes one for himself ([`Server::of_ones_own`]).
//!
//! PostgreSQL refuses to run as root; then it runs as `postgres` or `nobody`.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

/// The role that owns the databases of tests: an ordinary one, for which row-level security holds.
pub const ROLE: &str = "rollcall";
/// Its password.
pub const PASSWORD: &str = "s3cr3t-of-tests";

/// What the package is called in which Debian has the server.
pub const PACKAGE: &str = "postgresql";

/// Stops the shared server when nobody has had a lock on `users` for a while.
const WATCH: &str = r#"
while :; do
    flock --exclusive "$1/users" true
    sleep 5
    flock --exclusive "$1/starting" flock --exclusive --nonblock "$1/users" sh -c '
        server=$(head -n 1 "$1/data/postmaster.pid")
        kill -QUIT "$server"
        while kill -0 "$server"; do sleep 0.1; done
        rm -rf "$1/data" "$1/watching"' - "$1" && exit
done
"#;

/// A running server.
#[derive(Debug)]
pub struct Server {
    folder: PathBuf,
    programs: PathBuf,
    port: u16,
    /// Whether it ends with this value.
    is_own: bool,
}

/// Returns the folder with PostgreSQL's programs.
///
/// # Errors
/// When there is none.
pub fn programs() -> io::Result<PathBuf> {
    let installed = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut found: Vec<PathBuf> = installed
        .filter_map(|version| Some(version.ok()?.path().join("bin")))
        .filter(|programs| programs.join("initdb").exists())
        .collect();
    if let Some(path) = std::env::var_os("PATH") {
        found.extend(
            std::env::split_paths(&path).filter(|programs| programs.join("initdb").exists()),
        );
    }
    found.into_iter().next().ok_or_else(|| {
        io::Error::other(format!(
            "there is no PostgreSQL server here: install the Debian package `{PACKAGE}`"
        ))
    })
}

impl Server {
    /// Returns the server that the tests of this target directory share.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn shared() -> io::Result<&'static Self> {
        static SHARED: OnceLock<(Server, File)> = OnceLock::new();
        static STARTING: Mutex<()> = Mutex::new(());
        let _one_at_a_time = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
        if SHARED.get().is_none() {
            let started = Self::join()?;
            drop(SHARED.set(started));
        }
        SHARED
            .get()
            .map(|(server, _user)| server)
            .ok_or_else(|| io::Error::other("the server is gone"))
    }

    /// Joins those who use the shared server, starting it when this is the first.
    fn join() -> io::Result<(Self, File)> {
        let mut place = DefaultHasher::new();
        let program = std::env::current_exe()?;
        program.parent().hash(&mut place);
        let folder = std::env::temp_dir().join(format!("rollcall-pg-{:08x}", place.finish() >> 32));
        fs::create_dir_all(&folder)?;
        let starting = File::create(folder.join("starting"))?;
        starting.lock()?;
        let users = File::create(folder.join("users"))?;
        users.lock_shared()?;
        let programs = programs()?;
        if let Ok(port) = fs::read_to_string(folder.join("data/port"))
            && let Ok(port) = port.parse()
        {
            let server = Self {
                folder: folder.clone(),
                programs: programs.clone(),
                port,
                is_own: false,
            };
            if server.sql("postgres", "SELECT 1").is_ok() {
                return Ok((server, users));
            }
        }
        let mut server = Self::begin(&folder, programs, "", &[])?;
        server.is_own = false;
        if File::create_new(folder.join("watching")).is_ok() {
            Command::new("sh")
                .arg("-c")
                .arg(WATCH)
                .arg("-")
                .arg(&folder)
                .process_group(0)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()?;
        }
        Ok((server, users))
    }

    /// Starts a server that stops when the value is dropped. `settings` are lines of `postgresql.conf`, `files` lie beside it, readable by
    /// the server alone.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn of_ones_own(settings: &str, files: &[(&str, &str)]) -> io::Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let folder = std::env::temp_dir().join(format!(
            "rollcall-pg-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        ));
        fs::create_dir_all(&folder)?;
        Self::begin(&folder, programs()?, settings, files)
    }

    /// Makes a new cluster and starts its server.
    fn begin(
        folder: &Path,
        programs: PathBuf,
        settings: &str,
        files: &[(&str, &str)],
    ) -> io::Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let server = Self {
            folder: folder.to_owned(),
            programs,
            port,
            is_own: true,
        };
        let data = server.data();
        if data.exists() {
            fs::remove_dir_all(&data)?;
        }
        fs::create_dir(&data)?;
        let server_user = unprivileged()?;
        let give = |path: &Path| match server_user {
            Some((user, group)) => chown(path, Some(user), Some(group)),
            None => Ok(()),
        };
        give(&data)?;
        let pgdata = format!("--pgdata={}", data.display());
        let cluster = ["--username=postgres", "--auth=trust", "--encoding=UTF8"];
        server.run(
            "initdb",
            [&pgdata, "--no-sync", "--locale=C.UTF-8"]
                .into_iter()
                .chain(cluster),
        )?;
        let configuration = data.join("postgresql.conf");
        let defaults = fs::read_to_string(&configuration)?;
        let ours = format!(
            "{defaults}\nlisten_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = '{}'\n\
             fsync = off\nmax_connections = 300\nshared_buffers = 64MB\n{settings}\n",
            data.display()
        );
        fs::write(&configuration, ours)?;
        // the socket is for everybody who may enter the folder; the network asks for passwords
        fs::write(
            data.join("pg_hba.conf"),
            "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 scram-sha-256\n",
        )?;
        for (name, content) in files {
            let path = data.join(name);
            fs::write(&path, content)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
            give(&path)?;
        }
        server.start()?;
        server.sql(
            "postgres",
            &format!("CREATE ROLE {ROLE} LOGIN PASSWORD '{PASSWORD}'"),
        )?;
        fs::write(data.join("port"), port.to_string())?;
        Ok(server)
    }

    /// Starts the server, which was stopped.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(&self) -> io::Result<()> {
        let data = format!("--pgdata={}", self.data().display());
        let log = format!("--log={}", self.data().join("log").display());
        self.run("pg_ctl", ["start", "--wait", "--silent", &data, &log])
    }

    /// Stops the server without waiting for those who are connected.
    ///
    /// # Errors
    /// When it does not stop.
    pub fn stop(&self) -> io::Result<()> {
        let data = format!("--pgdata={}", self.data().display());
        self.run("pg_ctl", ["stop", "--mode=fast", "--silent", &data])
    }

    /// Ends the server as a crash does: nobody is waited for, nothing is put in order; the next start repairs what is there.
    ///
    /// # Errors
    /// When it does not stop.
    pub fn crash(&self) -> io::Result<()> {
        let data = format!("--pgdata={}", self.data().display());
        self.run("pg_ctl", ["stop", "--mode=immediate", "--silent", &data])
    }

    /// Runs a statement as the superuser, each in a transaction of its own, and returns what it answers, a line for each row.
    ///
    /// # Errors
    /// When the server refuses it.
    pub fn sql(&self, database: &str, statement: &str) -> io::Result<String> {
        let output = Command::new(self.programs.join("psql"))
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"])
            .args(["--set=ON_ERROR_STOP=1", "--username=postgres"])
            .arg(format!("--host={}", self.data().display()))
            .arg(format!("--port={}", self.port))
            .arg(format!("--dbname={database}"))
            .arg(format!("--command={statement}"))
            .stdin(Stdio::null())
            .output()?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        } else {
            Err(io::Error::other(
                String::from_utf8_lossy(&output.stderr).into_owned(),
            ))
        }
    }

    /// Makes an empty database.
    ///
    /// # Errors
    /// When the server refuses it.
    pub fn database(&self) -> io::Result<Database<'_>> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!(
            "test_{}_{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        self.sql(
            "postgres",
            &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
        )?;
        self.sql(
            "postgres",
            &format!("CREATE DATABASE {name} OWNER {ROLE} TEMPLATE template0"),
        )?;
        Ok(Database { server: self, name })
    }

    /// Returns the port of 127.0.0.1 at which it listens, and part of the name of its socket.
    pub fn port(&self) -> u16 {
        self.port
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn run(
        &self,
        program: &str,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> io::Result<()> {
        let mut command = Command::new(self.programs.join(program));
        if let Some((user, group)) = unprivileged()? {
            command.uid(user).gid(group);
        }
        // what the server inherits of its output would be waited for as long as it runs
        let messages = self.folder.join(format!("{program}.messages"));
        let output = File::create(&messages)?;
        let status = command
            .args(arguments)
            .current_dir(self.data())
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .status()?;
        if status.success() {
            drop(fs::remove_file(messages));
            return Ok(());
        }
        let messages = fs::read_to_string(messages).unwrap_or_default();
        Err(io::Error::other(format!("`{program}` failed: {messages}")))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.is_own {
            drop(self.stop());
            drop(fs::remove_dir_all(&self.folder));
        }
    }
}

/// Returns as whom PostgreSQL runs when this is root; absent: as whoever this is.
fn unprivileged() -> io::Result<Option<(u32, u32)>> {
    if fs::metadata("/proc/self")?.uid() != 0 {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd")?;
    let ids = |name: &str| {
        let line = users.lines().find_map(|line| line.strip_prefix(name))?;
        let mut fields = line.split(':').skip(1);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    let user = ids("postgres:").or_else(|| ids("nobody:"));
    user.map(Some).ok_or_else(|| {
        io::Error::other("PostgreSQL refuses to run as root, and there is neither a user `postgres` nor `nobody`")
    })
}

/// A database of a test, gone when the value is dropped.
#[derive(Debug)]
pub struct Database<'s> {
    server: &'s Server,
    name: String,
}

impl Database<'static> {
    /// Makes an empty database on the shared server.
    ///
    /// # Errors
    /// When there is no server to be had.
    pub fn fresh() -> io::Result<Self> {
        Server::shared()?.database()
    }
}

impl Database<'_> {
    /// Returns its address for the role that owns it, by the server's socket.
    pub fn url(&self) -> String {
        self.url_of(ROLE)
    }

    /// Returns its address for another role, by the server's socket.
    pub fn url_of(&self, role: &str) -> String {
        let socket = self.server.data();
        format!(
            "postgres://{role}@/{}?host={}&port={}",
            self.name,
            socket.display(),
            self.server.port
        )
    }

    /// Returns its address for the role that owns it, by the network, with these options.
    pub fn url_by_network(&self, password: &str, options: &str) -> String {
        format!(
            "postgres://{ROLE}:{password}@127.0.0.1:{}/{}{options}",
            self.server.port, self.name
        )
    }

    /// Runs a statement in it as the superuser, see [`Server::sql`].
    ///
    /// # Errors
    /// When the server refuses it.
    pub fn sql(&self, statement: &str) -> io::Result<String> {
        self.server.sql(&self.name, statement)
    }
}

impl Drop for Database<'_> {
    fn drop(&mut self) {
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        drop(self.server.sql("postgres", &statement));
    }
}
