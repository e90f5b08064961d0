/* Counts what others tell it: hears events of the class that its configuration names, adds up their bytes in the memory that
 * all workers share, and tells whoever asks for public data of kind 7 so (the code is the sum plus the argument).
 *
 * cc -shared -fPIC -O2 -I ../../include -o tally.so tally.c
 */
#include <string.h>
#include "weir_plugin.h"

#define KIND 7u

static char class_name[64];
static const char *const subscribes[] = {class_name, NULL};
static const char *const counters[] = {"heard", NULL};

static int control(void *self, uint32_t event, const struct weir_control *control)
{
    (void)self, (void)event, (void)control;
    return WEIR_OK;
}

static int data(void *self, uint32_t event, struct weir_data *data)
{
    static const char answer[] = "tally";
    uint64_t *sum = data->shared;
    (void)self;
    switch (event) {
    case WEIR_EVENT_USER:
        __atomic_fetch_add(sum, data->length, __ATOMIC_RELAXED);
        data->host->count(data, data->set, 0, 1);
        return WEIR_OK;
    case WEIR_EVENT_PUBLIC_DATA:
        if (data->kind == KIND) {
            data->bytes = answer;
            data->length = sizeof answer - 1;
            data->code = (int64_t)(__atomic_load_n(sum, __ATOMIC_RELAXED) + data->argument);
        }
        return WEIR_OK;
    default:
        return WEIR_OK;
    }
}

int weir_plugin_entry(const struct weir_host *host, struct weir_registration *out)
{
    int fits = weir_register(host, out);
    if (fits != 0)
        return fits;
    if (host->config[0] == '\0' || strlen(host->config) >= sizeof class_name) {
        strcpy(out->error, "tally wants the name of a class as its config");
        return WEIR_REFUSED;
    }
    strcpy(class_name, host->config);
    out->name = "tally";
    out->kind = "sample";
    out->shared_size = sizeof(uint64_t);
    out->subscribes = subscribes;
    out->counters = counters;
    out->control = control;
    out->data = data;
    return WEIR_OK;
}
