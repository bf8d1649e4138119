// Runs the main classes of Kafka's tools one after another in one Java process, because a small
// tool spends most of its time in the start of Java. A line of standard input is a request: the
// main class, its standard input and its arguments. A line of standard output is the answer: exit
// code, output, errors. Each field except the code is in Base64 after a dot. See toolHost.ts.

import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.LockSupport;
import org.apache.kafka.common.utils.Exit;

public final class ToolHost {
  /**
   * Scala and the logger keep the streams that they find first, so these stay and their targets
   * change.
   */
  private static final class Switch extends OutputStream {
    private volatile ByteArrayOutputStream target = new ByteArrayOutputStream();

    @Override
    public void write(int value) {
      target.write(value);
    }

    @Override
    public void write(byte[] bytes, int offset, int length) {
      target.write(bytes, offset, length);
    }
  }

  private static final Switch output = new Switch();
  private static final Switch errors = new Switch();

  public static void main(String[] arguments) throws Exception {
    var requests = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
    var answers = System.out;
    System.setOut(new PrintStream(output, true, StandardCharsets.UTF_8));
    System.setErr(new PrintStream(errors, true, StandardCharsets.UTF_8));
    for (var line = requests.readLine(); line != null; line = requests.readLine()) {
      var fields = Arrays.stream(line.split(" ")).map(ToolHost::decoded).toList();
      var words = fields.subList(2, fields.size()).stream().map(ToolHost::text).toArray(String[]::new);
      System.setIn(new ByteArrayInputStream(fields.get(1)));
      output.target = new ByteArrayOutputStream();
      errors.target = new ByteArrayOutputStream();
      var code = run(text(fields.get(0)), words);
      answers.println(code + " " + encoded(output.target) + " " + encoded(errors.target));
      answers.flush();
    }
    Runtime.getRuntime().halt(0);
  }

  private static int run(String mainClass, String[] words) throws Exception {
    var exited = new CompletableFuture<Integer>();
    List<Runnable> hooks = new ArrayList<>();
    Exit.setShutdownHookAdder((name, hook) -> hooks.add(hook));
    // Nothing may run after an exit, no catch and no finally: the thread blocks here.
    Exit.Procedure procedure = (code, message) -> {
      exited.complete(code);
      while (true) LockSupport.park();
    };
    Exit.setExitProcedure(procedure);
    Exit.setHaltProcedure(procedure);
    var tool = new Thread(() -> {
      try {
        Class.forName(mainClass).getMethod("main", String[].class).invoke(null, (Object) words);
        exited.complete(0);
      } catch (Throwable error) {
        (error.getCause() == null ? error : error.getCause()).printStackTrace();
        exited.complete(1);
      }
    });
    tool.setDaemon(true);
    tool.start();
    var code = exited.get();
    for (var hook : hooks) hook.run();
    return code;
  }

  private static byte[] decoded(String field) {
    return Base64.getDecoder().decode(field.substring(1));
  }

  private static String text(byte[] bytes) {
    return new String(bytes, StandardCharsets.UTF_8);
  }

  private static String encoded(ByteArrayOutputStream bytes) {
    return "." + Base64.getEncoder().encodeToString(bytes.toByteArray());
  }
}
