/* Does nothing: what a plugin costs, and the shortest one that there can be. With -DVERSION=n,
 * -DSIZE=n or -DTAG=\"...\" it claims another ABI. */
#include <string.h>
#include "weir_plugin.h"

static int control(void *self, uint32_t event, const struct weir_control *control)
{
    (void)self, (void)event, (void)control;
    return WEIR_OK;
}

static int data(void *self, uint32_t event, struct weir_data *data)
{
    (void)self, (void)event, (void)data;
    return WEIR_OK;
}

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
