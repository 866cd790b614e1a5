/* For pycparser: what a compiler's own header says, without its extensions. */
typedef unsigned long size_t;
#define NULL ((void *)0)
