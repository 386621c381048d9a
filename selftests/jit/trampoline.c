// SPDX-License-Identifier: MIT
/* Trampolines of nested functions, on an executable stack. */
#include <stdio.h>
#include <stdlib.h>
static int apply(int (*f)(int), int n){ int s=0; for(int i=0;i<n;i++) s+=f(i); return s; }
int main(void){ long t=0; for (int k=0;k<300;k++){ int add(int x){ return x*k+1; } t+=apply(add,100);} printf("%ld\n",t); return 0; }
