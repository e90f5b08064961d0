/* A library that `greeter` takes a symbol from: named in its `needs`.
 *
 * cc -shared -fPIC -O2 -o greeting.so greeting.c
 */
const char *weir_sample_greeting(void);

const char *weir_sample_greeting(void)
{
    return "good day";
}
