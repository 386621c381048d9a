-- SPDX-License-Identifier: MIT
-- Traces, foreign functions and callbacks, coroutines, 300 functions compiled at run time.
local function sor(n,it) local G={} for i=1,n do G[i]={} for j=1,n do G[i][j]=(i*j)%7 end end
 for p=1,it do for i=2,n-1 do local a,b,c=G[i-1],G[i],G[i+1] for j=2,n-1 do b[j]=0.3125*(a[j]+c[j]+b[j-1]+b[j+1])-0.25*b[j] end end end return G[n/2][n/2] end
print(string.format("%.6f",sor(100,1000)))
local ffi=require"ffi" ffi.cdef[[int abs(int); typedef struct {double x,y;} pt; void qsort(void*,size_t,size_t,int(*)(const int*,const int*));]]
local a=ffi.new("pt[?]",1000) for k=1,2000 do for i=0,999 do a[i].x=a[i].x+i*k a[i].y=a[i].y+ffi.C.abs(-i) end end print(a[10].x,a[999].y)
local arr=ffi.new("int[1000]") for i=0,999 do arr[i]=(i*7919)%1009 end
local cb=ffi.cast("int(*)(const int*,const int*)",function(x,y) return x[0]-y[0] end) ffi.C.qsort(arr,1000,4,cb) cb:free() print(arr[0],arr[500],arr[999])
local co=coroutine.wrap(function() for i=1,1e6 do coroutine.yield(i) end end) local s=0 for i=1,1e6 do s=s+co() end print(s)
local t={} for i=1,200000 do t[#t+1]=("x"):rep(i%10)..i end print(#table.concat(t))
local fs={} for k=1,300 do fs[k]=assert(loadstring("local n=... local s=0 for i=1,n do s=(s+i*"..k..")%1000003 if i%"..(k+1).."==0 then s=s+1 end end return s")) end
local z=0 for r=1,3 do for k=1,300 do z=z+fs[k](500) end end print(z)
