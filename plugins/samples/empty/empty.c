/* Does nothing: what a plugin costs, and the shortest one that there can be. With -DVERSION=n,
 * -DSIZE=n or -DTAG=\"...\" it claims another ABI. With -DLOOKS it looks at each packet and its session, discards
 * payloads that begin with `x`, and replies badly to views that cannot be. */
#include <string.h>
#include "weir_plugin.h"

static int control(void *self, uint32_t event, const struct weir_control *control)
{
    (void)self, (void)event, (void)control;
    return WEIR_OK;
}

#ifdef LOOKS
static int data(void *self, uint32_t event, struct weir_data *data)
{
    const struct weir_session *session = data->session;
    const struct weir_packet *packet = data->packet;
    (void)self;
    if (event != WEIR_EVENT_FIRST_PACKET && event != WEIR_EVENT_PACKET)
        return packet == NULL ? WEIR_OK : -1;
    if (session == NULL || packet == NULL || session->packets[data->direction] == 0 || session->tuple.family != 4)
        return -1;
    return packet->payload_length > 0 && packet->bytes[packet->payload] == 'x' ? WEIR_DISCARD : WEIR_OK;
}
#else
static int data(void *self, uint32_t event, struct weir_data *data)
{
    (void)self, (void)event, (void)data;
    return WEIR_OK;
}
#endif

int weir_plugin_entry(const struct weir_host *host, struct weir_registration *out)
{
    int fits = weir_register(host, out);
#ifdef VERSION
    out->version = VERSION;
#endif
#ifdef SIZE
    out->size = SIZE;
#endif
#ifdef TAG
    strcpy(out->tag, TAG);
#endif
    if (fits != 0)
        return fits;
    out->name = "empty";
    out->control = control;
    out->data = data;
    return WEIR_OK;
}
