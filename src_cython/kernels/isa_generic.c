/* Any CPU of the architecture: what the compiler may use without flags. */
#define TD_ISA generic
#include "isa.h"
