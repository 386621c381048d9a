// SPDX-License-Identifier: MIT
// A bit of everything that V8 compiles: regular expressions, classes, generators, wasm, workers. Argument: how often.
const N=+(process.argv[2]||1);
class A { constructor(x){this.x=x;} f(){return this.x+1;} get g(){return this.x*2;} }
class B extends A { f(){ return super.f()*2; } }
function* gen(n){ for(let i=0;i<n;i++) yield i*i; }
async function as(n){ let s=0; for(let i=0;i<n;i++){ s+=await Promise.resolve(i);} return s; }
function fib(n){return n<2?n:fib(n-1)+fib(n-2);}
function work(){
 const o={a:[],b:{c:"str\u20ac",d:[1.5,null,true]}}; for(let i=0;i<2000;i++) o.a.push({i,s:"s"+i,f:i/7});
 let t=0; for(let k=0;k<20;k++){ const s=JSON.stringify(o); const p=JSON.parse(s); t+=s.length+p.a.length; } console.log("json",t);
 let r=0; const text="The quick brown fox 12-34 jumps over 567-89 lazy dogs ".repeat(500); for(let k=0;k<20;k++) for(const m of text.matchAll(/(\d+)-(\d+)\s(\w+)/g)) r+=(+m[1])+(+m[2])+m[3].length; console.log("re",r);
 let c=0; const objs=[new A(1),new B(2),{f(){return 7},get g(){return 1}}]; for(let i=0;i<3000000;i++){ const q=objs[i%(i<1000000?1:i<2000000?2:3)]; c+=q.f()+q.g; } console.log("class",c);
 let g=0; for(const v of gen(300000)) g=(g+v)%1000003; console.log("gen",g);
 console.log("fib",fib(30));
 const f64=new Float64Array(100000); for(let i=0;i<f64.length;i++) f64[i]=Math.sin(i)*i; f64.sort(); console.log("f64",f64[500].toFixed(6),f64.reduce((a,b)=>a+b).toFixed(3));
 const m=new Map(); for(let i=0;i<200000;i++) m.set("k"+i%3000,(m.get("k"+i%3000)||0)+i); console.log("map",[...m.values()].reduce((a,b)=>a+b));
 let ex=0; for(let i=0;i<50000;i++){ try { if(i%3==0) throw new Error("e"+i); ex++; } catch(e){ ex+=e.message.length; } } console.log("exc",ex);
 let bi=1n; for(let i=1n;i<1000n;i++) bi*=i; console.log("big",(bi%1000000007n).toString(), bi.toString().length);
 let so=0; try { (function d(){so++; d();})(); } catch(e){ console.log(e.constructor.name, so>1000); }
 const dyn=[]; for(let i=0;i<300;i++) dyn.push(new Function("x","let s=0;for(let i=0;i<2000;i++)s+=(x*"+i+"+i)%13;return s")); let dd=0; for(const f of dyn) dd+=f(3); console.log("dyn",dd);
 console.log(require("crypto").createHash("sha256").update("abc".repeat(10000)).digest("hex"), require("zlib").gzipSync("hello".repeat(1000)).length>10);
}
const wasm=new Uint8Array([0,97,115,109,1,0,0,0,1,6,1,96,1,127,1,127,3,2,1,0,7,7,1,3,102,97,99,0,0,10,23,1,21,0,32,0,69,4,127,65,1,5,32,0,65,1,107,16,0,32,0,106,11,11]);
(async()=>{
 for(let k=0;k<N;k++) work();
 console.log("async",await as(100000));
 const {instance}=await WebAssembly.instantiate(wasm); let w=0; for(let i=0;i<2000;i++) w=(w+instance.exports.fac(500+i%3))|0; console.log("wasm",w);
 const {Worker}=require("worker_threads");
 const sab=new SharedArrayBuffer(64), ia=new Int32Array(sab);
 await Promise.all([1,2,3,4].map(k=>new Promise((res,rej)=>{ const wk=new Worker(`const {workerData,parentPort}=require("worker_threads");const ia=new Int32Array(workerData.sab);let s=0;function h(x){return (x*2654435761)>>>7}for(let i=0;i<500000;i++){s=(s+h(i*workerData.k))|0;if(i%100==0)Atomics.add(ia,0,1);}parentPort.postMessage(s)`,{eval:true,workerData:{k,sab}}); wk.on("message",v=>res(v)); wk.on("error",rej); }))).then(v=>console.log("workers",v.join(),ia[0]));
})();
