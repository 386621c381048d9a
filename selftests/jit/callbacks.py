# SPDX-License-Identifier: MIT
# libffi closures.
import ctypes, ctypes.util
libc=ctypes.CDLL(None)
CMP=ctypes.CFUNCTYPE(ctypes.c_int,ctypes.POINTER(ctypes.c_int),ctypes.POINTER(ctypes.c_int))
a=(ctypes.c_int*1000)(*[(i*7919)%1009 for i in range(1000)])
for k in range(20):
    cb=CMP(lambda x,y: (x[0]>y[0])-(x[0]<y[0]))
    libc.qsort(a,1000,4,cb)
print(list(a)==sorted(a))
