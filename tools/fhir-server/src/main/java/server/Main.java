package server;

import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.context.support.IValidationSupport;
import ca.uhn.fhir.jpa.api.config.JpaStorageSettings;
import ca.uhn.fhir.jpa.api.dao.IFhirSystemDao;
import ca.uhn.fhir.jpa.interceptor.UserRequestRetryVersionConflictsInterceptor;
import ca.uhn.fhir.jpa.provider.IJpaSystemProvider;
import ca.uhn.fhir.jpa.provider.JpaCapabilityStatementProvider;
import ca.uhn.fhir.jpa.search.DatabaseBackedPagingProvider;
import ca.uhn.fhir.narrative2.NullNarrativeGenerator;
import ca.uhn.fhir.rest.api.EncodingEnum;
import ca.uhn.fhir.rest.server.HardcodedServerAddressStrategy;
import ca.uhn.fhir.rest.server.RestfulServer;
import ca.uhn.fhir.rest.server.provider.ResourceProviderFactory;
import ca.uhn.fhir.rest.server.util.ISearchParamRegistry;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.file.Path;
import java.sql.Connection;
import javax.sql.DataSource;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.ee10.servlet.ServletHolder;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.springframework.context.annotation.AnnotationConfigApplicationContext;

/** HAPI FHIR's JPA server for R4 over H2, on 127.0.0.1 only. */
public final class Main {
    public static void main(String[] args) throws Exception {
        Integer port = null;
        for (String arg : args) {
            if (arg.equals("--no-reference-checks")) {
                Config.checkReferences = false;
            } else if (port == null && arg.matches("\\d+")) {
                port = Integer.valueOf(arg);
            } else if (port != null && !arg.startsWith("-")) {
                Config.database = "jdbc:h2:file:" + Path.of(arg).toAbsolutePath().resolve("fhir");
            } else {
                port = null;
                break;
            }
        }
        if (port == null) {
            System.err.println("serve [--no-reference-checks] PORT [DIR]   (no DIR: in memory; PORT 0: a free one)");
            System.exit(2);
        }

        // WRITE_DELAY=0: what was answered is in the file, also when the process is killed in the next instant
        Config.database += ";DB_CLOSE_ON_EXIT=FALSE;WRITE_DELAY=0";
        AnnotationConfigApplicationContext beans = new AnnotationConfigApplicationContext(Config.class);
        FhirContext context = beans.getBean(FhirContext.class);
        context.setNarrativeGenerator(new NullNarrativeGenerator());

        Server jetty = new Server();
        ServerConnector connector = new ServerConnector(jetty);
        connector.setHost("127.0.0.1");
        connector.setPort(port);
        connector.setIdleTimeout(300_000);
        jetty.addConnector(connector);
        connector.open();
        String base = "http://127.0.0.1:" + connector.getLocalPort() + "/fhir";

        IFhirSystemDao<?, ?> dao = beans.getBean(IFhirSystemDao.class);
        RestfulServer fhir = new RestfulServer(context);
        fhir.registerProviders(beans.getBean(ResourceProviderFactory.class).createProviders());
        fhir.registerProvider(beans.getBean(IJpaSystemProvider.class));
        fhir.setServerConformanceProvider(new JpaCapabilityStatementProvider(
                fhir, dao, beans.getBean(JpaStorageSettings.class), beans.getBean(ISearchParamRegistry.class),
                beans.getBean(IValidationSupport.class)));
        fhir.setPagingProvider(beans.getBean(DatabaseBackedPagingProvider.class));
        fhir.setServerAddressStrategy(new HardcodedServerAddressStrategy(base));
        // off unless a request asks: X-Retry-On-Version-Conflict: retry; max-retries=10
        fhir.registerInterceptor(new UserRequestRetryVersionConflictsInterceptor());
        fhir.setDefaultResponseEncoding(EncodingEnum.JSON);
        beans.getAutowireCapableBeanFactory().autowireBean(fhir);

        ServletContextHandler handler = new ServletContextHandler("/");
        handler.addServlet(new ServletHolder(fhir), "/fhir/*");
        jetty.setHandler(handler);
        jetty.start();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            // HAPI's background tasks would only complain of the closed database
            System.setErr(new PrintStream(OutputStream.nullOutputStream()));
            try (Connection database = beans.getBean(DataSource.class).getConnection()) {
                jetty.stop();
                database.createStatement().execute("SHUTDOWN");
            } catch (Exception e) {
                System.out.println("while stopping: " + e);
            }
            Runtime.getRuntime().halt(0);
        }));
        System.out.println("ready on " + base);
        System.out.flush();
        jetty.join();
    }

    private Main() {}
}
