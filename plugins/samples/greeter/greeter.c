/* Needs another library: its kind is what that one says.
 *
 * cc -shared -fPIC -O2 -I ../../include -o greeter.so greeter.c
 */
#include "weir_plugin.h"

const char *weir_sample_greeting(void);

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
    if (fits != 0)
        return fits;
    out->name = "greeter";
    out->kind = weir_sample_greeting();
    out->control = control;
    out->data = data;
    return WEIR_OK;
}
