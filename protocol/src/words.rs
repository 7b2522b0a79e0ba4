//! The machine words with which the shop explains itself: why a command waits or ended as
//! it did, how a device fares, what an operator should know. Words are added, never
//! reused for something else; the cloud shows one it does not know as it stands.

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident = $word:literal;)*) => {
        $($(#[$doc])* pub const $name: &str = $word;)*
        /// Every one, for the tests that look for its explanation.
        pub const ALL: &[&str] = &[$($name,)*];
    };
}

words! {
    /// Nothing is wrong.
    OK = "ok";
    /// Nothing is known of it yet: the gateway has just begun.
    STARTING = "starting";

    // What a command waits for, and how a printer fares.
    PAPER_OUT = "paper-out";
    PAPER_LOW = "paper-low";
    COVER_OPEN = "cover-open";
    /// It answers and does not print.
    OFFLINE = "offline";
    /// It does not answer.
    UNREACHABLE = "unreachable";
    CUTTER_ERROR = "cutter-error";
    PRINTER_ERROR = "printer-error";
    /// The device serves somebody else.
    BUSY = "busy";

    // How a clock fares.
    COMM_KEY_REFUSED = "comm-key-refused";
    /// Another clock answers at this address.
    SERIAL_MISMATCH = "serial-mismatch";
    LAYOUT_AMBIGUOUS = "layout-ambiguous";
    LOG_NEARLY_FULL = "log-nearly-full";
    CLOCK_DRIFT = "clock-drift";
    /// Nineteen of twenty places of its log are taken: the next punches may be lost.
    LOG_FULL = "log-full";
    /// Something answers at its address that is no clock.
    NOT_A_CLOCK = "not-a-clock";
    /// It shows a day that is far from today: its battery is flat, or somebody set it.
    CLOCK_TIME_LOST = "clock-time-lost";
    /// It calls by itself, and has not for a while.
    CLOCK_SILENT = "clock-silent";
    /// The gateway cannot listen where clocks call.
    PUSH_NOT_LISTENING = "push-not-listening";

    // Why a command ended.
    /// It was too late before the first byte.
    DEADLINE_PASSED = "deadline-passed";
    CANCELLED = "cancelled";
    /// Asked to cancel what had begun.
    TOO_LATE = "too-late";
    NOTHING_TO_CANCEL = "nothing-to-cancel";
    NO_SUCH_DEVICE = "no-such-device";
    /// Several devices could do it and the command names none.
    DEVICE_NOT_NAMED = "device-not-named";
    UNKNOWN_KIND = "unknown-kind";
    NOT_A_CLOCK_COMMAND = "not-a-clock-command";
    /// The gateway has not heard the true time from the cloud yet.
    TRUE_TIME_UNKNOWN = "true-time-unknown";
    /// The clock did not do what it was told.
    CLOCK_REFUSES = "clock-refuses";
    /// The clock calls by itself and is not read over its own port: it cannot be told this.
    CLOCK_ONLY_CALLS = "clock-only-calls";
    /// The clock did not call, or not answer, in time.
    CLOCK_NO_ANSWER = "clock-no-answer";
    /// The clock's table of users cannot be read.
    USERS_UNREADABLE = "users-unreadable";
    /// Not every user was written; the detail says which and why.
    USERS_NOT_ALL_WRITTEN = "users-not-all-written";
    /// The shop's configuration does not allow to empty the clock's log.
    CLEAR_NOT_ALLOWED = "clear-not-allowed";
    /// The clock's log holds another number of records than was read.
    CLEAR_COUNT_DIFFERS = "clear-count-differs";
    /// The cloud has not confirmed every record yet.
    CLEAR_NOT_CONFIRMED = "clear-not-confirmed";
    DOCUMENT_EMPTY = "document-empty";
    DOCUMENT_TOO_LARGE = "document-too-large";
    /// A connector pin that no drawer has.
    DRAWER_PIN = "drawer-pin";
    /// The connection went in the middle of the bytes.
    CONNECTION_LOST = "connection-lost";
    /// Begun, and nothing tells how it ended.
    NO_PROOF = "no-proof";
    /// The printer took a part of the bytes and then no more.
    STALLED = "stalled";
    /// The gateway or the connection stopped in the middle, and nothing tells how it ended.
    INTERRUPTED = "interrupted";

    // Why a transfer waits or ended.
    /// It is on its way to the cloud.
    TRANSFER_SENDING = "transfer-sending";
    /// The cloud waits for no such transfer (any more).
    TRANSFER_UNEXPECTED = "transfer-unexpected";
    TRANSFER_TOO_LARGE = "transfer-too-large";
    /// Too many are open.
    TRANSFER_TOO_MANY = "transfer-too-many";
    /// What arrived is not what was offered.
    TRANSFER_CORRUPT = "transfer-corrupt";

    // What an operator should know once.
    JOURNAL_FULL = "journal-full";
    JOURNAL_BROKEN = "journal-broken";
    JOURNAL_QUARANTINED = "journal-quarantined";
    JOURNAL_EPOCH_RENEWED = "journal-epoch-renewed";
    JOURNAL_WRITE_ERROR = "journal-write-error";
    JOURNAL_RECOVERED = "journal-recovered";
    JOURNAL_WAS_FULL = "journal-was-full";
    COMMAND_MALFORMED = "command-malformed";
    CLOCK_LAYOUT_AMBIGUOUS = "clock-layout-ambiguous";
    CLOCK_LIVE_DIFFERS = "clock-live-differs";
    /// Another model or firmware than before answers with the same serial number.
    CLOCK_PROFILE_CHANGED = "clock-profile-changed";
    CLOCK_TIME_SET = "clock-time-set";
    CLOCK_LOG_CLEARED = "clock-log-cleared";
    /// It answers at another address than the configured one.
    CLOCK_MOVED = "clock-moved";
    /// A clock calls that the configuration does not know.
    CLOCK_UNKNOWN_CALLS = "clock-unknown-calls";
}

/// What is odd about a punch that is kept all the same.
pub mod anomaly {
    words! {
        /// The clock's date and time name no instant.
        IMPOSSIBLE_DATE = "impossible-date";
        FUTURE = "future";
        /// A wall time that the zone skips when summer time begins.
        SKIPPED_HOUR = "skipped-hour";
        /// A wall time that occurs twice when summer time ends; the first is taken.
        AMBIGUOUS_HOUR = "ambiguous-hour";
        ODD_STATE = "odd-state";
        ODD_USER_ID = "odd-user-id";
        /// Bytes of the record that should be zero are not.
        ODD_FORM = "odd-form";
        UNKNOWN_USER = "unknown-user";
        /// Dated in the year in which a clock without battery begins.
        CLOCK_RESET = "clock-reset";
    }
}
