// SPDX-License-Identifier: MIT
// A bit of everything that HotSpot compiles: inlining and deoptimisation, exceptions, null checks, threads. Argument: how often.
import java.util.*; import java.util.concurrent.*; import java.util.stream.*;
public class Mix {
  interface Shape { double area(); }
  record Sq(double s) implements Shape { public double area() { return s*s; } }
  record Ci(double r) implements Shape { public double area() { return 3*r*r; } }
  static class Tri implements Shape { double b,h; Tri(double b,double h){this.b=b;this.h=h;} public double area(){return b*h/2;} }
  static int depth(int n) { return depth(n+1)+1; }
  static int ex(int i) { try { if (i%3==0) throw new IllegalArgumentException("x"+i); return i; } catch (IllegalArgumentException e) { return e.getMessage().length(); } finally { cnt++; } }
  static int cnt;
  static long spectral(int n) {
    double[] u=new double[n], v=new double[n], t=new double[n]; Arrays.fill(u,1);
    for(int k=0;k<10;k++){ mul(n,u,t,false); mul(n,t,v,true); mul(n,v,t,false); mul(n,t,u,true);}    
    double vBv=0,vv=0; for(int i=0;i<n;i++){vBv+=u[i]*v[i];vv+=v[i]*v[i];} return Math.round(Math.sqrt(vBv/vv)*1e9);
  }
  static void mul(int n,double[] a,double[] o,boolean tr){ for(int i=0;i<n;i++){double s=0;for(int j=0;j<n;j++){int x=tr?j:i,y=tr?i:j; s+=a[j]/((x+y)*(x+y+1)/2+x+1);} o[i]=s;} }
  public static void main(String[] a) throws Exception {
    int n = a.length>0?Integer.parseInt(a[0]):1;
    for (int rep=0;rep<n;rep++) {
    System.out.println("hello "+System.getProperty("os.arch").length()/100);
    System.out.println(IntStream.range(0,200000).filter(i->i%7==3).mapToObj(i->Integer.toString(i)).collect(Collectors.groupingBy(String::length,()->new TreeMap<Integer,Long>(),Collectors.counting())));
    System.out.println(IntStream.range(0,1000000).parallel().mapToLong(i->(long)i*i%1000003).sum());
    Shape[] s={new Sq(1.5),new Ci(2),new Tri(3,4)}; double t=0; for(int i=0;i<3000000;i++) t+=s[i%(i<2000000?2:3)].area(); System.out.println(t);
    int x=0; for(int i=0;i<200000;i++) x+=ex(i); System.out.println(x+" "+cnt);
    try { depth(0); } catch (StackOverflowError e) { System.out.println("SOE"); }
    try { Object o=null; o.hashCode(); } catch (NullPointerException e) { System.out.println("NPE "); }
    int npe=0; String[] st={"a",null,"b"}; for(int i=0;i<100000;i++) try { npe+=st[i%3].length(); } catch(NullPointerException e){ npe+=5; } System.out.println(npe);
    ExecutorService ex=Executors.newFixedThreadPool(6); List<Future<Long>> f=new ArrayList<>();
    ConcurrentHashMap<Integer,Integer> m=new ConcurrentHashMap<>();
    for(int k=0;k<6;k++){ final int kk=k; f.add(ex.submit(()->{ long r=0; for(int i=0;i<100000;i++){ m.merge(i%1000,1,Integer::sum); r+=(i^kk)*31L; synchronized(m){ r++; } } return r; })); }
    long sum=0; for (Future<Long> q:f) sum+=q.get(); ex.shutdown(); System.out.println(sum+" "+m.get(7));
    System.out.println(spectral(300));
    StringBuilder sb=new StringBuilder(); for(int i=0;i<100000;i++){ sb.append(i%10).append((char)('a'+i%26)); if (sb.length()>1000) sb.delete(0,500);} System.out.println(sb.toString().hashCode());
    HashMap<String,Integer> hm=new HashMap<>(); for(int i=0;i<300000;i++) hm.merge("k"+i%5000,i,Integer::sum); System.out.println(hm.values().stream().mapToLong(v->v).sum());
    long[] big=new long[500000]; Random rnd=new Random(42); for(int i=0;i<big.length;i++) big[i]=rnd.nextLong(); Arrays.sort(big); System.out.println(big[1000]+" "+Arrays.hashCode(big));
    System.out.println(String.format("%.6f %s %x", Math.sin(1.25)+Math.exp(2.5)+Math.pow(3.1,2.7), java.math.BigInteger.TWO.pow(300).mod(java.math.BigInteger.valueOf(1000000007)), 255));
    int g=0; for(int i=0;i<400;i++){ byte[] bb=new byte[1<<16]; g+=bb.length; } System.gc(); System.out.println(g);
    }
  }
}
