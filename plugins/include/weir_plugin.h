/* Weir's plugin ABI, revision 2.
 *
 * A plugin is a shared object with an entry function. Weir calls the entry once, on its management thread; the plugin fills
 * in a registration. Afterwards Weir calls the plugin's two handlers: `control` on the management thread, `data` on every
 * worker. Nothing that one side allocates is freed by the other, but for a policy (see `attach_policy`).
 *
 * What is pointed to from `weir_data` and `weir_control` is valid until the handler returns, unless said otherwise.
 * On the packet path (every event of `data` but worker-init and worker-exit) a plugin must not allocate, lock, sleep or make
 * a system call: each worker forwards one packet at a time, and waits.
 *
 * Versions. `size`, `version` and `tag` stand first in both structs and never move. The tag is the ABI revision and Weir's
 * own major.minor version: before 1.0 a plugin must be built again for each minor version. A plugin whose registration shows
 * other values than the host's is refused, and both are named.
 */
#ifndef WEIR_PLUGIN_H
#define WEIR_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WEIR_ABI_VERSION 2u
#define WEIR_ABI_TAG "weir-0.1/abi-2"
#define WEIR_TAG_SIZE 32

/* Replies. Anything else is a bad reply: the plugin is taken out of its chains. */
#define WEIR_OK 0        /* handled, no opinion */
#define WEIR_FORWARD 1   /* accepted: on to the next plugin */
#define WEIR_DISCARD 2   /* first packet: the session is refused; later: the packet is dropped */
#define WEIR_HOLD 3      /* the frame waits for `release` with the ticket got before; not on a first packet */
#define WEIR_PANICKED 99 /* the Rust crate caught a panic: the plugin is taken out */

/* From the entry function: 0, or one of these. */
#define WEIR_REFUSED (-1)      /* see `error` of the registration */
#define WEIR_ABI_MISMATCH (-2) /* the plugin does not know this host's ABI */

/* Events of the data handler. Only first-packet, packet and user events may be answered by more than ok and forward. */
#define WEIR_EVENT_WORKER_INIT 0   /* put this worker's own state into `worker_self`: later calls get it as `self` */
#define WEIR_EVENT_INIT 1          /* a set (`set`) of this worker has the plugin as a member now */
#define WEIR_EVENT_FIRST_PACKET 2  /* the packet that opens a session */
#define WEIR_EVENT_PACKET 3        /* a later one; `session` is NULL in packet mode and for frames without session */
#define WEIR_EVENT_SESSION_OPEN 4  /* every plugin has accepted the first packet */
#define WEIR_EVENT_SESSION_CLOSE 5 /* it ended, or its opening failed: `reason` */
#define WEIR_EVENT_SESSION_DESTROY 6 /* the last event of a session: free what `action` points to */
#define WEIR_EVENT_PUBLIC_DATA 7   /* another plugin asks for data: `kind`, `argument`; answer in `bytes`, `length`, `code` */
#define WEIR_EVENT_USER 8          /* an event of class `kind`, with `bytes` and `length` */
#define WEIR_EVENT_TURN 9          /* once a turn of the worker (flag turns) */
#define WEIR_EVENT_WORKER_EXIT 10  /* this worker's state is not used any more: free it */

/* Events of the control handler. */
#define WEIR_CONTROL_INIT 0
#define WEIR_CONTROL_CONFIG_BLOB 1
#define WEIR_CONTROL_HA_INFO 2 /* reserved */

/* Flags of a registration. */
#define WEIR_FLAG_PACKET_MODE 1u /* works per packet, without sessions */
#define WEIR_FLAG_ALONE 2u       /* sees raw fragments and frames without session too */
#define WEIR_FLAG_POLICY 4u      /* its sets are active only once it attached a policy */
#define WEIR_FLAG_TURNS 8u       /* hears WEIR_EVENT_TURN */

/* Directions. */
#define WEIR_TO_SERVER 0u /* forward: as the packet that opened the session */
#define WEIR_TO_CLIENT 1u /* reverse */

/* Why a session closed. */
#define WEIR_CLOSE_FIN 0
#define WEIR_CLOSE_RST 1
#define WEIR_CLOSE_TIMEOUT 2
#define WEIR_CLOSE_EVICTED 3
#define WEIR_CLOSE_OPEN_FAILED 4
#define WEIR_CLOSE_POLICY 5
#define WEIR_CLOSE_KILLED 6
#define WEIR_CLOSE_PLUGIN_RESTART 7
#define WEIR_CLOSE_SHUTDOWN 8
#define WEIR_CLOSE_REUSED 9 /* its ends are in another connection with the same addresses and ports */

/* Changes of a packet, made when it leaves; the host mends the checksums. Not done where the packet has no such header: an
 * address of the other family, ports of what has none, anything of a packet within a tunnel. */
#define WEIR_EDIT_DSCP 0             /* value: one byte, six bits */
#define WEIR_EDIT_SOURCE 1           /* value: 4 or 16 bytes, network order */
#define WEIR_EDIT_DESTINATION 2
#define WEIR_EDIT_SOURCE_PORT 3      /* value: 2 bytes, network order */
#define WEIR_EDIT_DESTINATION_PORT 4

/* What becomes of a held frame. */
#define WEIR_RELEASE_FORWARD 0
#define WEIR_RELEASE_DISCARD 1

/* Levels of log lines. */
#define WEIR_LOG_ERROR 1
#define WEIR_LOG_WARN 2
#define WEIR_LOG_INFO 3
#define WEIR_LOG_DEBUG 4

/* Flags of a packet. */
#define WEIR_PACKET_FRAGMENT 1u /* a raw fragment */
#define WEIR_PACKET_REBUILT 2u  /* a datagram that reassembly put together */
#define WEIR_PACKET_INNER 4u    /* within a tunnel: cannot be changed, held or shared */
#define WEIR_PACKET_INLINE 8u   /* verdicts act on it */

/* "not there" for offsets, plugin ids and classes */
#define WEIR_NONE 0xffffffffu

struct weir_tuple {
    uint8_t source[16]; /* network order; IPv4 in the first four bytes, the rest 0 */
    uint8_t destination[16];
    uint16_t source_port; /* host order */
    uint16_t destination_port;
    uint8_t protocol; /* IANA's number */
    uint8_t family;   /* 4 or 6 */
    uint8_t reserved[2];
};

struct weir_session {
    uint64_t id;         /* unique while Weir runs */
    uint64_t packets[2]; /* by direction */
    uint64_t bytes[2];
    uint32_t state; /* 0 new, 1 established, 2 closed */
    uint32_t reserved;
    struct weir_tuple tuple; /* source is the client */
};

struct weir_packet {
    const uint8_t *bytes; /* the whole frame from its link header on, in one piece */
    uint32_t length;
    uint32_t ip; /* offsets into `bytes`; WEIR_NONE where there is none */
    uint32_t l4;
    uint32_t payload;
    uint32_t payload_length;
    uint32_t number;  /* of arrival, from 1; it wraps */
    uint64_t time_us; /* when it was captured, since 1970 */
    uint16_t port;    /* it came in by */
    uint16_t flags;   /* WEIR_PACKET_... */
    uint32_t reserved;
};

struct weir_host;
struct weir_desk; /* the way to management; valid while the process runs, usable from any thread */

/* One call of the data handler. Write only what is said to be yours to set: the host does not make the rest anew for every
 * packet. */
struct weir_data {
    const struct weir_host *host;
    void *call;           /* the host's own: only for its functions, and only until the handler returns */
    void *shared;         /* one block for all workers and the control half; synchronise yourself */
    uint64_t shared_size;
    void *worker_self;    /* worker-init: set it */
    uint32_t set;         /* the service set, or WEIR_NONE */
    uint32_t plugin;      /* the plugin's id, or WEIR_NONE before it is known */
    uint32_t worker;
    uint32_t direction;   /* WEIR_TO_... */
    uint32_t reason;      /* session-close: WEIR_CLOSE_... */
    uint32_t kind;        /* user: class; public-data: what is asked for */
    const void *bytes;    /* event data */
    uint64_t length;
    uint64_t argument;    /* public-data */
    int64_t code;         /* public-data: of the plugin's own meaning */
    const uint64_t *action; /* what was attached to the session, by direction (two); 0 for nothing; NULL without events */
    const void *policy;   /* the policy that the session took; NULL when none is attached */
    uint32_t policy_generation;
    uint32_t reserved;
    uint64_t now_us;      /* the worker's clock */
    const struct weir_session *session; /* NULL where there is none */
    const struct weir_packet *packet;   /* as session */
};

/* One call of the control handler. */
struct weir_control {
    const struct weir_host *host;
    struct weir_desk *desk;
    void *shared;
    uint64_t shared_size;
    uint32_t set;
    uint32_t op;         /* config-blob: 0 add, 1 delete */
    uint32_t generation; /* config-blob */
    uint32_t error_size;
    const char *set_name; /* init; NUL-terminated */
    const char *config;   /* init: the plugin's part of the configuration, NUL-terminated */
    const void *bytes;    /* config-blob */
    uint64_t length;
    char *error;          /* for a refusal (a reply other than WEIR_OK): NUL-terminated text for the operator */
};

/* What the host offers. Functions that say int give 1 for done and 0 for not. Those that take `weir_data` may be called from
 * the handler that got it only, while it runs; those that take `weir_desk` from any thread at any time. */
struct weir_host {
    uint32_t size;
    uint32_t version;
    char tag[WEIR_TAG_SIZE];
    const char *config;     /* entry only: the plugin's configuration text */
    struct weir_desk *desk;
    void *shared; /* NULL: the block is there from the first event on */

    /* The session's. */
    int (*attach)(struct weir_data *, uint32_t direction, uint64_t action);
    int (*ignore)(struct weir_data *, uint32_t direction); /* no more packets of it, please */
    /* The packet's. */
    int (*edit)(struct weir_data *, uint32_t what, const uint8_t *value, uint32_t length);
    int (*ticket)(struct weir_data *, uint64_t *ticket); /* then reply WEIR_HOLD */
    int (*release)(struct weir_data *, uint64_t ticket, uint32_t decision);
    /* A reference to the frame, to be kept after the event. More than 64 of a worker's at once: the plugin is taken out. */
    int (*share)(struct weir_data *, uint32_t *share);
    int (*share_segment)(struct weir_data *, uint32_t share, uint32_t segment, const uint8_t **bytes, uint64_t *length);
    int (*share_release)(struct weir_data *, uint32_t share);
    /* A frame of the plugin's own, from its link header on, out of a port. */
    int (*emit)(struct weir_data *, const uint8_t *bytes, uint32_t length, uint32_t port);
    /* Other plugins: of this worker, now. One that is restarted gets another id: when `ask` fails, look it up again. */
    uint32_t (*plugin_named)(struct weir_data *, const char *name);
    uint32_t (*class_named)(struct weir_data *, const char *name);
    uint32_t (*dispatch)(struct weir_data *, uint32_t user_class, const void *bytes, uint64_t length); /* how many heard it */
    int (*ask)(struct weir_data *, uint32_t plugin, uint32_t kind, uint64_t argument,
               void (*to)(void *user, const void *bytes, uint64_t length, int64_t code), void *user);
    /* Adds to a counter, by its place in the registration's names, in a set. */
    int (*count)(struct weir_data *, uint32_t set, uint32_t counter, uint64_t n);
    /* A line for the log: at most 200 bytes of it, and so many a second; 0 when it was lost. */
    int (*log)(struct weir_data *, uint32_t level, const char *text, uint32_t length);

    /* Management's: queued, and done on its thread. `release_policy` is called when nobody uses the policy any more, from any
     * thread; NULL: never. */
    int (*attach_policy)(struct weir_desk *, uint32_t set, const void *policy, void (*release_policy)(const void *));
    int (*detach_policy)(struct weir_desk *, uint32_t set);
    int (*desk_log)(struct weir_desk *, uint32_t level, const char *text, uint32_t length);
};

/* Filled in by the entry function. Text is copied before the next event. */
struct weir_registration {
    uint32_t size;           /* sizeof(struct weir_registration) */
    uint32_t version;        /* WEIR_ABI_VERSION */
    char tag[WEIR_TAG_SIZE]; /* WEIR_ABI_TAG */
    const char *name;        /* unique in the appliance */
    const char *kind;        /* what kind of service, for people: "marking", "filter" ... */
    uint32_t flags;
    uint32_t reserved;
    void *self;              /* given to both handlers */
    uint64_t shared_size;    /* bytes of shared memory, zeroed; at most 64 MiB */
    const char *const *publishes;  /* classes of user events; these three are NULL or end with NULL */
    const char *const *subscribes;
    const char *const *counters;
    int (*control)(void *self, uint32_t event, const struct weir_control *);
    int (*data)(void *self, uint32_t event, struct weir_data *);
    char error[256];         /* for WEIR_REFUSED */
};

typedef int weir_entry(const struct weir_host *host, struct weir_registration *out);

/* The first thing that an entry function calls: 0 when host and plugin fit, else what to return. */
static inline int weir_register(const struct weir_host *host, struct weir_registration *out)
{
    const char *tag = WEIR_ABI_TAG;
    size_t i;
    out->size = (uint32_t)sizeof *out;
    out->version = WEIR_ABI_VERSION;
    for (i = 0; i < sizeof WEIR_ABI_TAG; i++)
        out->tag[i] = tag[i];
    if (host->size != sizeof *host || host->version != WEIR_ABI_VERSION)
        return WEIR_ABI_MISMATCH;
    for (i = 0; i < sizeof WEIR_ABI_TAG; i++)
        if (host->tag[i] != tag[i])
            return WEIR_ABI_MISMATCH;
    return 0;
}

#ifdef __cplusplus
}
#endif
#endif
